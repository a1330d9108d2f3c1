// libjpeg's headers use FILE and size_t without including what declares them.
#pragma once
#include <stddef.h>
#include <stdio.h>
// Order matters here: jerror.h refers to what jpeglib.h declares.
#include <jpeglib.h>
#include <jerror.h>
