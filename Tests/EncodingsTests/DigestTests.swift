import Testing

@testable import Encodings

@Suite("Digests")
struct DigestTests {
  @Test(
    "are those of RFC 1321, RFC 3174 and FIPS 180-4",
    arguments: [
      ("", .md5, "d41d8cd98f00b204e9800998ecf8427e"),
      ("message digest", .md5, "f96b697d7cb7938d525a2f31aaf161d0"),
      ("abc", .sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
      ("", .sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", .sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        String(repeating: "a", count: 100_000), .sha256,
        "6d1cf22d7cc09b085dfc25ee1a1f3ae0265804c607bc2074ad253bcc82fd81ee"
      ),
    ] as [(String, DigestAlgorithm, String)])
  func known(_ text: String, _ algorithm: DigestAlgorithm, _ expected: String) {
    #expect(hexText(Digest.of(Array(text.utf8), algorithm)) == expected)
    var pieces = Digest(algorithm)
    for byte in text.utf8 { pieces.update([byte].span) }
    #expect(hexText(pieces.bytes) == expected)
  }

  @Test("a copy continues independently, and so does a digest that was read")
  func copies() {
    var one = Digest(.sha1)
    one.update(Array("a".utf8).span)
    var other = one
    other.update(Array("x".utf8).span)
    _ = one.bytes
    one.update(Array("bc".utf8).span)
    #expect(one.bytes == Digest.of(Array("abc".utf8), .sha1))
    #expect(other.bytes == Digest.of(Array("ax".utf8), .sha1))
  }

  @Test(
    "codes are those of RFC 4231 and RFC 2202",
    arguments: [
      (
        [UInt8](repeating: 0x0B, count: 20), "Hi There", .sha256,
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
      ),
      (
        Array("Jefe".utf8), "what do ya want for nothing?", .sha256,
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
      ),
      (
        Array("Jefe".utf8), "what do ya want for nothing?", .sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
      ),
      ([], "", .sha256, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
    ] as [([UInt8], String, DigestAlgorithm, String)])
  func codes(_ key: [UInt8], _ message: String, _ algorithm: DigestAlgorithm, _ expected: String) {
    let code = authenticationCode(of: Array(message.utf8), key: key, algorithm)
    #expect(hexText(code) == expected)
    #expect(isSame(code, code) && !isSame(code, code.dropLast()) && !isSame(code, [1] + code.dropFirst()))
  }
}
