#pragma once
// The digests and HMAC of OpenSSL 3's libcrypto.
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
