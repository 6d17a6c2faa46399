// No _GNU_SOURCE here: system headers must look as they do in Swift's Glibc module, which is built without.
#pragma once
#include <ares.h>
#include <sys/eventfd.h>
