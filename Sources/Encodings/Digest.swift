import CCrypto

/// Which digest of bytes: those that Amazon's protocols and browsers name.
public enum DigestAlgorithm: Sendable {
  case md5, sha1, sha256

  fileprivate var method: OpaquePointer? {
    switch self {
    case .md5: unsafe EVP_md5()
    case .sha1: unsafe EVP_sha1()
    case .sha256: unsafe EVP_sha256()
    }
  }
}

/// A digest of bytes that come in pieces, computed by libcrypto. A copy goes on by itself.
public struct Digest: Sendable {
  private var context: Context

  public init(_ algorithm: DigestAlgorithm) { context = Context(algorithm) }

  /// The digest of bytes that are all there.
  public static func of(_ bytes: [UInt8], _ algorithm: DigestAlgorithm) -> [UInt8] {
    var digest = Digest(algorithm)
    digest.update(bytes.span)
    return digest.bytes
  }

  public mutating func update(_ bytes: Span<UInt8>) {
    if !isKnownUniquelyReferenced(&context) { context = Context(copy: context) }
    context.update(bytes)
  }

  /// The digest of what came so far: 16 bytes of MD5, 20 of SHA-1, 32 of SHA-256. More bytes may follow.
  public var bytes: [UInt8] { Context(copy: context).finish() }
}

/// The owner of one state of libcrypto's. Only its `Digest` changes it, and only while nothing else refers to it.
@safe private final class Context: @unchecked Sendable {
  private let state: OpaquePointer

  init(_ algorithm: DigestAlgorithm) {
    unsafe state = Self.allocated()
    // Fails only where the system forbids the algorithm altogether.
    guard unsafe EVP_DigestInit_ex(state, algorithm.method, nil) == 1 else {
      preconditionFailure("libcrypto of this system computes no \(algorithm)")
    }
  }

  init(copy other: Context) {
    unsafe state = Self.allocated()
    guard unsafe EVP_MD_CTX_copy_ex(state, other.state) == 1 else {
      preconditionFailure("libcrypto has no memory for a digest")
    }
  }

  deinit { unsafe EVP_MD_CTX_free(state) }

  private static func allocated() -> OpaquePointer {
    guard let state = unsafe EVP_MD_CTX_new() else {
      preconditionFailure("libcrypto has no memory for a digest")
    }
    return unsafe state
  }

  func update(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBytes { _ = unsafe EVP_DigestUpdate(state, $0.baseAddress, $0.count) }
  }

  func finish() -> [UInt8] {
    var count: UInt32 = 0
    var bytes = [UInt8](repeating: 0, count: 64)  // EVP_MAX_MD_SIZE
    unsafe bytes.withUnsafeMutableBufferPointer {
      _ = unsafe EVP_DigestFinal_ex(state, $0.baseAddress, &count)
    }
    return Array(bytes.prefix(Int(count)))
  }
}

/// The code that authenticates a message to whoever has the key: HMAC of RFC 2104.
public func authenticationCode(of message: [UInt8], key: [UInt8], _ algorithm: DigestAlgorithm) -> [UInt8] {
  // HMAC takes a key of no bytes only with an address.
  let filled = key.isEmpty ? [0] : key
  var count: UInt32 = 0
  var code = [UInt8](repeating: 0, count: 64)
  let result = unsafe code.withUnsafeMutableBufferPointer { code in
    unsafe HMAC(algorithm.method, filled, Int32(key.count), message, message.count, code.baseAddress, &count)
  }
  guard unsafe result != nil else { preconditionFailure("libcrypto of this system computes no \(algorithm)") }
  return Array(code.prefix(Int(count)))
}

/// Whether two secrets are the same; takes as long wherever they differ.
public func isSame(_ one: [UInt8], _ other: [UInt8]) -> Bool {
  unsafe one.count == other.count && CRYPTO_memcmp(one, other, one.count) == 0
}
