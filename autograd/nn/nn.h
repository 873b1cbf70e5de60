// All of nn: modules, layers and initialisers.
#pragma once

#include "autograd/nn/attention.h"
#include "autograd/nn/init.h"
#include "autograd/nn/layer.h"
#include "autograd/nn/linear.h"
#include "autograd/nn/module.h"
#include "autograd/nn/normalization.h"
#include "autograd/nn/operations.h"
#include "autograd/nn/recurrent.h"
