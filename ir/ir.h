// The IR: the one public header of ir/.
#ifndef BERTC_IR_H
#define BERTC_IR_H
#include "ir/arena.h"
#include "ir/diag.h"
#include "ir/eval.h"
#include "ir/graph.h"
#include "ir/module.h"
#include "ir/places.h"
#include "ir/progress.h"
#include "ir/quantize.h"
#include "ir/recipe.h"
#include "ir/rewrite.h"
#include "ir/shape.h"
#include "ir/target.h"
#include "ir/text.h"
#include "ir/types.h"
#include "ir/verify.h"
#include "ir/words.h"
#endif
