"""Physical constants, each with its source."""

from math import pi, radians

# WGS-84 (NGA.STND.0036, 2014) and the second and third zonal harmonics of EGM-96.
EARTH_GRAVITY_M3_PER_S2 = 3.986004418e14
EARTH_RADIUS_M = 6_378_137.0
EARTH_J2 = 1.08262668e-3
EARTH_J3 = -2.53265649e-6

# Mean sidereal rate of the node of a Sun-synchronous orbit: 2 pi per tropical year.
TROPICAL_YEAR_S = 365.242189 * 86_400.0
SUN_SYNCHRONOUS_RATE_RAD_PER_S = 2.0 * pi / TROPICAL_YEAR_S

# IAU 2015 Resolution B3 (nominal solar radius) and IAU 2012 Resolution B2 (astronomical unit).
SUN_RADIUS_M = 6.957e8
ASTRONOMICAL_UNIT_M = 1.495978707e11

# SI, exact.
SPEED_OF_LIGHT_M_PER_S = 299_792_458.0
PLANCK_J_S = 6.62607015e-34
BOLTZMANN_J_PER_K = 1.380649e-23

# CODATA 2018.
STEFAN_BOLTZMANN_W_PER_M2_K4 = 5.670374419e-8
GAS_CONSTANT_J_PER_MOL_K = 8.314462618

# ISO 80000-3: the standard acceleration that turns specific impulse into speed.
STANDARD_GRAVITY_M_PER_S2 = 9.80665

# JPL 96-9: the borosilicate cover glass of its damage coefficients.
COVER_GLASS_KG_PER_M3 = 2554.0

HOUR_S = 3600.0
DAY_S = 86_400.0
YEAR_S = 365.25 * DAY_S
KILOWATT_HOUR_J = 1000.0 * HOUR_S

# Earth rotation: IAU 1982 mean sidereal time, linear part (Aoki et al. 1982).
SIDEREAL_ANGLE_J2000_RAD = radians(280.46061837)
SIDEREAL_RATE_RAD_PER_DAY = radians(360.98564736629)
EARTH_ROTATION_RAD_PER_S = 7.292115e-5  # WGS-84
EARTH_FLATTENING = 1.0 / 298.257223563  # WGS-84
ROOM_TEMPERATURE_K = 298.15  # 25 C, the reference of cell and battery data sheets
