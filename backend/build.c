#include "emit.h"
#include "backend/backend.h"
