#include "runtime/bertc.h"
#include "runtime/abi.h"
