// Cotan: everything a program needs, in one header.
#pragma once

#include "autograd/evaluate.h"
#include "autograd/gradients.h"
#include "autograd/nn/nn.h"
#include "autograd/ops.h"
#include "autograd/optim/adadelta.h"
#include "autograd/optim/adagrad.h"
#include "autograd/optim/adam.h"
#include "autograd/optim/clip.h"
#include "autograd/optim/rmsprop.h"
#include "autograd/optim/sgd.h"
#include "autograd/random.h"
#include "autograd/tensor.h"
#include "autograd/variable.h"
#include "graph/threads.h"
#include "training/mnist.h"
