// libjpeg's headers use FILE and size_t without including the headers that declare them.
#pragma once
#include <stddef.h>
#include <stdio.h>
// The order matters: jerror.h uses declarations of jpeglib.h.
#include <jpeglib.h>
#include <jerror.h>
