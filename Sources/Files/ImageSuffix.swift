/// The suffixes of the image files that every verb reads, in lower case: JPEG and PNG files are called so.
public let imageSuffixes: Set<String> = [".jpeg", ".jpg", ".jpe", ".jfif", ".png"]

/// Suffixes of images in formats that are not read, in lower case: what has one is an image that is left out.
private let otherImageSuffixes: Set<String> = [
  ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpf",
  ".jpx", ".jpm", ".jxl", ".jxr", ".hdp", ".wdp", ".jif", ".jfi", ".pjpeg", ".pjp", ".apng", ".mng", ".jng",
  ".psd", ".ico", ".icns", ".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".pfm", ".tga", ".exr", ".hdr", ".dds",
  ".pcx", ".svg", ".qoi", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".dcm",
]

/// What kind of file a name tells of: its suffix in lower case, ".webp"; empty where the name has none that says
/// anything, as a number or a part of a web address.
///
/// - Parameter name: the last component of a path.
package func suffixKind(ofName name: String) -> String {
  let suffix = splitExtension(name).suffix
  guard (2...9).contains(suffix.utf8.count), suffix.utf8.dropFirst().allSatisfy(isLetterOrDigit),
    suffix.utf8.contains(where: { $0 >= UInt8(ascii: "A") })
  else { return "" }
  return suffix.lowercased()
}

/// Whether files of this kind are images, of which those outside `imageSuffixes` are not read.
package func isImageKind(_ kind: String) -> Bool {
  imageSuffixes.contains(kind) || otherImageSuffixes.contains(kind)
}

/// What the first bytes of a file say of an image in it: "a WebP image", "a JPEG image"; nil for anything else, and for
/// a file that cannot be read.
package func imageKind(ofFile path: String) -> String? {
  guard let start = try? readStart(of: path, byteCount: 512) else { return nil }
  return fileKind(start.span).flatMap { $0.hasByteSuffix(" image") ? $0 : nil }
}

private func isLetterOrDigit(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "a")...UInt8(ascii: "z"):
    true
  default: false
  }
}
