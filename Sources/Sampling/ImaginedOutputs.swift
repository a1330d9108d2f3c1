/// Writes what two imagined classifiers say of the pictures of a drawn data set, to try scoring and comparing with.
///
/// `folder` gets `first/` and `second/`, each with `<class folder>/<picture>.out`, as SageMaker's batch transform
/// names and writes them: `{"prediction": [a probability for each class]}`. The two often agree, the second is right
/// a little more often, and both take cars for buses and flowers for stars more often than anything else. Nobody has
/// looked at a picture for this: the figures say nothing of any network.
///
/// - Parameters:
///   - folder: made, with those above it; it must not be there, or be empty. It appears when all is written.
///   - options: those of `writeSample`. The broken files have no output.
/// - Throws: `SampleError`; `FileError`. Nothing is left under the folder's name then.
/// - Complexity: two small files for each picture.
public func writeImaginedOutputs(to folder: String, options: SampleOptions) throws {
  checkRange(of: options)
  var output = try StagedFolder(folder)
  do {
    for (run, name) in ["first", "second"].enumerated() {
      try output.makeSubfolder(name)
      for label in 0..<options.classCount {
        let (classFolder, pictures) = picturePaths(label, options)
        try output.makeSubfolder("\(name)/\(classFolder)")
        for (index, picture) in pictures.enumerated() {
          let row = probabilities(label, index, run: run, options)
          let text = "{\"prediction\": [\(row.map { "\($0)" }.joined(separator: ", "))]}\n"
          try output.write(Array(text.utf8), to: "\(name)/\(picture).out")
        }
      }
    }
  } catch {
    output.discard()
    throw error
  }
  try output.publish()
}

/// Whole weights divided by their sum: the same digits on every machine.
private func probabilities(_ label: Int, _ index: Int, run: Int, _ options: SampleOptions) -> [Double] {
  var chance = Chance(seed: UInt64(bitPattern: Int64(options.seed)), label, index, 77)
  var weights = (0..<options.classCount).map { _ in chance.integer(1...9) }
  let luck = chance.real(0...1)
  var other = chance.integer(0...(options.classCount - 1))
  // Of five pictures one is seen otherwise by the second classifier.
  let isSeenAnew = chance.happens(0.2)
  let newLuck = chance.real(0...1)
  let seen = run == 1 && isSeenAnew ? newLuck : luck
  let share = 0.74 + (run == 1 ? 0.05 : 0) - 0.2 * Double(label % 4) / 4
  if seen > share && seen < share + 0.14, let twin = twin(of: label), twin < options.classCount {
    other = twin
  }
  let isRight = seen <= share || other == label
  let top = isRight ? chance.integer(20...700) : chance.integer(15...180)
  if isRight {
    weights[label] += top
  } else {
    weights[other] += top
    weights[label] += chance.integer(0...max(1, top * 3 / 4))
  }
  let sum = Double(weights.reduce(0, +))
  return weights.map { Double($0) / sum }
}

/// The class that is hard to tell from this one.
private func twin(of label: Int) -> Int? {
  let pairs: [Subject: Subject] = [.car: .bus, .bus: .car, .flower: .star, .star: .flower]
  let subjects = Subject.allCases
  return pairs[subjects[label]].flatMap { subjects.firstIndex(of: $0) }
}
