import Encodings
import Files
import Records
import Terminal

/// Writes the lists, byte for byte as `im2rec.py --list`, and prints the label of each folder.
///
/// - Returns: the exit status, which is 2 if something that looks like an image could not be listed.
/// - Throws: `ScanError` if the root cannot be read; `FileError` if a list cannot be written.
func makeLists(_ options: Options, _ console: Console) throws -> Int32 {
  let root = absolutePath(options.root)
  let prefix = absolutePath(options.prefix)
  // Checked before the scan, which can take a long time.
  guard isFolder(folderName(prefix)) else {
    console.fail(
      "the lists cannot be written: the folder \(folderName(prefix)) does not exist",
      remedy: "Create it (mkdir -p), or choose another prefix.")
    return ExitStatus.failed
  }
  let scan = try FolderScan(
    root: root, layout: .im2rec(recursive: options.recursive), extensions: Set(options.extensions))
  try Task.checkCancellation()
  for problem in scan.problems { console.skip(problem.path, problem.reason) }
  for kind in scan.passedOver where kind.areImages {
    console.warn(
      "\(kind.sentence); im2rec.py lists only files ending in \(options.extensions.formatted); --exts names other "
        + "extensions")
  }
  guard !scan.images.isEmpty else {
    console.fail(
      "no image was found \(options.recursive ? "in" : "directly in") \(root): none of its files ends with "
        + options.extensions.formatted,
      remedy: options.recursive
        ? "Check that this is the right folder; --exts names other extensions."
        : "--recursive also searches its subfolders; --exts names other extensions.")
    return ExitStatus.failed
  }
  var order = Array(scan.images.indices)
  if options.shuffle {
    // Equals Python's random.seed(100) and random.shuffle. Images keep their ids, and are shuffled before they are
    // divided into lists.
    var random = MersenneTwister(seed: 100)
    random.shuffle(&order)
  }
  let (lists, leftOut) = slices(of: order.count, options)
  for list in lists {
    try Task.checkCancellation()
    let path = prefix + list.suffix + ".lst"
    try write(order[list.range], of: scan, to: path)
    if list.range.isEmpty {
      console.warn("\(path) is empty: \(order.count) images are too few for this many lists")
    }
  }
  if options.recursive {
    // The names of the labels are written nowhere else.
    console.data(scan.classes.enumerated().map { "\($1) \($0)\n" }.joined())
  }
  if leftOut > 0 {
    console.warn(
      "\(leftOut) of \(order.count) images are in no list: the shares are rounded down to whole images, and with ratios "
        + "that add up to 1 there is no _val list for the rest. im2rec.py leaves them out silently")
  }
  if !options.quiet {
    let names = lists.count == 1 ? prefix + lists[0].suffix + ".lst" : "\(lists.count) lists \(prefix)*.lst"
    console.words("\(printable(names)): \(order.count - leftOut) images, \(scan.classes.count) labels")
  }
  return scan.problems.isEmpty ? ExitStatus.done : ExitStatus.someSkipped
}

private func write(_ images: ArraySlice<Int>, of scan: FolderScan, to path: String) throws(FileError) {
  var file = try StagedFile(path)
  do {
    for index in images {
      let image = scan.images[index]
      try file.append(
        ListEntry(id: UInt64(index), labels: [Double(image.classIndex)], path: image.path).line)
    }
  } catch {
    file.discard()
    throw error
  }
  try file.publish()
}

/// A list file and the images it contains.
struct ListSlice: Equatable {
  /// The part of the file name between the prefix and `.lst`, such as "_0_train".
  let suffix: String
  let range: Range<Int>
}

/// Divides `count` images into lists as im2rec.py does: chunks of equal length, and in each chunk first the test
/// images, then the training images, then the validation images, with counts truncated to whole images.
///
/// - Returns: the lists in the order in which im2rec.py writes them, and the number of images in none of them. If the
///   two ratios add up to 1, there is no validation list for the images left over by truncation.
func slices(of count: Int, _ options: Options) -> (lists: [ListSlice], leftOut: Int) {
  let length = (count + options.chunks - 1) / options.chunks
  // Python's int() truncates; the ratios are in 0...1.
  let train = Int(exactly: (Double(length) * options.trainRatio).rounded(.towardZero)) ?? 0
  let test = Int(exactly: (Double(length) * options.testRatio).rounded(.towardZero)) ?? 0
  var lists: [ListSlice] = []
  var leftOut = 0
  for chunk in 0..<options.chunks {
    let suffix = options.chunks > 1 ? "_\(chunk)" : ""
    let start = min(chunk * length, count)
    let end = min(start + length, count)
    guard options.trainRatio != 1 else {
      lists.append(ListSlice(suffix: suffix, range: start..<end))
      continue
    }
    let afterTest = min(start + test, end)
    let afterTrain = min(afterTest + train, end)
    if options.testRatio != 0 { lists.append(ListSlice(suffix: suffix + "_test", range: start..<afterTest)) }
    if options.trainRatio + options.testRatio < 1 {
      lists.append(ListSlice(suffix: suffix + "_val", range: afterTrain..<end))
    } else {
      leftOut += end - afterTrain
    }
    lists.append(ListSlice(suffix: suffix + "_train", range: afterTest..<afterTrain))
  }
  return (lists, leftOut)
}
