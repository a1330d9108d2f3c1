#include "imaging.h"
