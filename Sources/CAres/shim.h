#pragma once
// As in CLinux: system headers must look the same in every module that includes them.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <ares.h>
