// Cotan: everything a program needs, in one header.
#pragma once

#include "autograd/evaluate.h"
#include "autograd/gradients.h"
#include "autograd/ops.h"
#include "autograd/optim/sgd.h"
#include "autograd/random.h"
#include "autograd/tensor.h"
#include "autograd/variable.h"
#include "graph/threads.h"
#include "training/mnist.h"
