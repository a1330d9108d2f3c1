import Encodings
import Files
import Records
import Terminal

/// Writes the lists, byte for byte as `im2rec.py --list`, and prints the label of each folder.
///
/// - Returns: the exit status, which is 2 where something that looks like an image could not be listed.
/// - Throws: `ScanError` where the root cannot be read; `FileError` where a list cannot be written.
func makeLists(_ options: Options, _ console: Console) throws -> Int32 {
  let root = absolutePath(options.root)
  let prefix = absolutePath(options.prefix)
  // Checked before the scan, which may take long.
  guard isFolder(folderName(prefix)) else {
    console.fail(
      "the lists cannot be written: there is no folder \(folderName(prefix))",
      remedy: "Make it (mkdir -p), or choose another prefix.")
    return ExitStatus.failed
  }
  let scan = try FolderScan(
    root: root, layout: .im2rec(recursive: options.recursive), extensions: Set(options.extensions))
  try Task.checkCancellation()
  for problem in scan.problems { console.skip(problem.path, problem.reason) }
  for kind in scan.passedOver where kind.areImages {
    console.warn(
      "\(kind.sentence); im2rec.py lists no file but \(options.extensions.formatted), --exts names others")
  }
  guard !scan.images.isEmpty else {
    console.fail(
      "no image was found \(options.recursive ? "in" : "directly in") \(root): none of its files ends with "
        + options.extensions.formatted,
      remedy: options.recursive
        ? "Is it the right folder? --exts names other extensions."
        : "--recursive also looks into the folders below it; --exts names other extensions.")
    return ExitStatus.failed
  }
  var order = Array(scan.images.indices)
  if options.shuffle {
    // As Python's random.seed(100) and random.shuffle. Images are shuffled before they are cut into lists and keep
    // their ids.
    var random = MersenneTwister(seed: 100)
    random.shuffle(&order)
  }
  let (lists, leftOut) = slices(of: order.count, options)
  for list in lists {
    try Task.checkCancellation()
    let path = prefix + list.suffix + ".lst"
    try write(order[list.range], of: scan, to: path)
    if list.range.isEmpty { console.warn("\(path) is empty: \(order.count) images do not reach so far") }
  }
  if options.recursive {
    // The names of the labels are written nowhere else.
    console.data(scan.classes.enumerated().map { "\($1) \($0)\n" }.joined())
  }
  if leftOut > 0 {
    console.warn(
      "\(leftOut) of \(order.count) images are in no list: the shares are cut to whole images, and with ratios that add "
        + "up to 1 there is no _val list for the rest. im2rec.py leaves them out silently")
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
  /// What the name has between the prefix and `.lst`: "_0_train".
  let suffix: String
  let range: Range<Int>
}

/// How im2rec.py cuts `count` images into lists: chunks of equal length, and in each chunk first the test images,
/// then those for training, then those for validation, with counts truncated to whole images.
///
/// - Returns: the lists in the order in which im2rec.py writes them, and how many images are in none of them. If the
///   two ratios add up to 1, there is no validation list that would take the images left over by truncation.
func slices(of count: Int, _ options: Options) -> (lists: [ListSlice], leftOut: Int) {
  let length = (count + options.chunks - 1) / options.chunks
  // Truncated as Python's int() does; the ratios are from 0 to 1.
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
