#pragma once
// libcrypto of OpenSSL 3, as far as digests of bytes go.
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
