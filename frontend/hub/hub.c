#include "frontend/hub/hub.h"
