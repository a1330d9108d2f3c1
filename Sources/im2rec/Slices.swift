/// One list file: what stands between the prefix and `.lst` in its name, and which images it holds.
struct Slice: Equatable {
  let suffix: String
  let range: Range<Int>
}

/// How im2rec.py shares `count` images out: chunks of equal length, and in each first the test images, then
/// those for training, then those for validation, cut down to whole images.
///
/// - Returns: the lists in the order im2rec.py writes them, and how many images are in none: where the two
///   ratios add up to 1 there is no validation list to take what the cut leaves.
func slices(of count: Int, _ options: Options) -> (lists: [Slice], leftOut: Int) {
  let length = (count + options.chunks - 1) / options.chunks
  // Truncated as Python's int() does; the ratios are from 0 to 1.
  let train = Int(exactly: (Double(length) * options.trainRatio).rounded(.towardZero)) ?? 0
  let test = Int(exactly: (Double(length) * options.testRatio).rounded(.towardZero)) ?? 0
  var lists: [Slice] = []
  var leftOut = 0
  for chunk in 0..<options.chunks {
    let suffix = options.chunks > 1 ? "_\(chunk)" : ""
    let start = min(chunk * length, count)
    let end = min(start + length, count)
    guard options.trainRatio != 1 else {
      lists.append(Slice(suffix: suffix, range: start..<end))
      continue
    }
    let afterTest = min(start + test, end)
    let afterTrain = min(afterTest + train, end)
    if options.testRatio != 0 { lists.append(Slice(suffix: suffix + "_test", range: start..<afterTest)) }
    if options.trainRatio + options.testRatio < 1 {
      lists.append(Slice(suffix: suffix + "_val", range: afterTrain..<end))
    } else {
      leftOut += end - afterTrain
    }
    lists.append(Slice(suffix: suffix + "_train", range: afterTest..<afterTrain))
  }
  return (lists, leftOut)
}
