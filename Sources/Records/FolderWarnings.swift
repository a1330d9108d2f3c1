/// What a scan of a folder passed over, and what it took from folders further down.
package func folderWarnings(_ scan: FolderScan) -> [String] {
  var sentences: [String] = []
  func say(_ count: Int, _ one: String, _ many: String) {
    if count > 0 { sentences.append(count == 1 ? "1 \(one)" : "\(count) \(many)") }
  }
  say(
    scan.nestedImageCount, "image in a nested folder belongs to the class folder above it",
    "images in nested folders belong to the class folders above them")
  say(
    scan.hiddenFolderCount, "folder whose name begins with a dot was passed over",
    "folders whose names begin with a dot were passed over")
  for kind in scan.passedOver where kind.areImages {
    sentences.append(
      kind.sentence
        + (kind.content == nil
          ? "; only JPEG and PNG files are read" : "; an image is found by its suffix, such as .jpg or .png"))
  }
  return sentences
}

extension [PassedOver] {
  /// How many of the files are images.
  package var imageCount: Int { reduce(0) { $0 + ($1.areImages ? $1.count : 0) } }
}
