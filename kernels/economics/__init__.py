"""Money, industry and deployment: pure functions of parameters, differentiable like the physics beside them."""
