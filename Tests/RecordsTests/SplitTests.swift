import TestSupport
import Testing

@testable import Records

@Suite("splits")
struct SplitTests {
  /// A scan with this many images in classes "c0", "c1", ...
  func scan(_ counts: [Int], names: [String]? = nil) -> FolderScan {
    let names = names ?? counts.indices.map { "c\($0)" }
    return FolderScan(
      classes: names,
      images: zip(names, counts).enumerated().flatMap { index, pair in
        (0..<pair.1).map { FolderScan.Image(classIndex: index, path: "\(pair.0)/\($0).jpg") }
      })
  }

  /// Images of each class in a part.
  func counts(_ part: SplitPart, _ scan: FolderScan) -> [Int] {
    var counts = scan.classes.map { _ in 0 }
    for image in part.images { counts[scan.images[image].classIndex] += 1 }
    return counts
  }

  func paths(_ part: SplitPart, _ scan: FolderScan, of name: String) -> [String] {
    part.images.map { scan.images[$0].path }.filter { $0.hasPrefix(name + "/") }
  }

  @Test("K of each class are training, the rest validation, each once and in walk order")
  func perClass() throws {
    let scan = scan([98, 61, 0, 80])
    let plan = try split(scan, by: .perClass(60, allowSmallClasses: false), seed: 7)
    #expect(plan.parts.map(\.name) == ["60-train", "60-val"])
    #expect(counts(plan.parts[0], scan) == [60, 60, 0, 60])
    #expect(counts(plan.parts[1], scan) == [38, 1, 0, 20])
    #expect(plan.parts.flatMap(\.images).sorted() == Array(scan.images.indices))
    #expect(plan.parts.allSatisfy { $0.images == $0.images.sorted() })
    #expect(plan.warnings.isEmpty)
    #expect(try split(scan, by: .perClass(60, allowSmallClasses: false), seed: 7) == plan)
    #expect(try split(scan, by: .perClass(60, allowSmallClasses: false), seed: 8) != plan)
  }

  @Test("the choice is random: every image of a class is chosen about as often as any other")
  func uniform() throws {
    let scan = scan([20])
    var chosen = [Int](repeating: 0, count: 20)
    for seed in -500..<500 {
      for image in try split(scan, by: .perClass(5, allowSmallClasses: false), seed: seed).parts[0].images {
        chosen[image] += 1
      }
    }
    // 250 are expected; the standard deviation is 14.
    #expect(chosen.allSatisfy { (180...320).contains($0) }, "\(chosen)")
  }

  @Test("another class changes no other class's choice")
  func independent() throws {
    let (few, more) = (
      scan([30, 30], names: ["b", "d"]), scan([9, 30, 40, 30], names: ["a", "b", "c", "d"])
    )
    for rule in [Split.perClass(8, allowSmallClasses: false), .perClass(25, allowSmallClasses: true)] {
      let (first, second) = (
        try split(few, by: rule, seed: 3).parts[0], try split(more, by: rule, seed: 3).parts[0]
      )
      for name in ["b", "d"] { #expect(paths(first, few, of: name) == paths(second, more, of: name)) }
      #expect(paths(first, few, of: "b") != paths(first, few, of: "d").map { $0.replacing("d/", with: "b/") })
    }
  }

  @Test("classes that are too small are all named with their counts; allowed, they keep one for validation")
  func smallClasses() throws {
    let scan = scan([61, 60, 0, 2, 1])
    let error = #expect(throws: SplitError.self) {
      try split(scan, by: .perClass(60, allowSmallClasses: false), seed: 1)
    }
    #expect(
      error?.description
        == "60 images of each class are asked for training, which leaves none for validation in: c1 (60), c3 (2), c4 (1)"
    )
    let plan = try split(scan, by: .perClass(60, allowSmallClasses: true), seed: 1)
    #expect(counts(plan.parts[0], scan) == [60, 59, 0, 1, 0])
    #expect(counts(plan.parts[1], scan) == [1, 1, 0, 1, 1])
    #expect(
      plan.warnings == [
        .smallClass(name: "c1", imageCount: 60, trainCount: 59),
        .smallClass(name: "c3", imageCount: 2, trainCount: 1),
        .smallClass(name: "c4", imageCount: 1, trainCount: 0), .classMissing(name: "c4", part: "60-train"),
      ])
  }

  @Test("ratios hold in each class and over all, and every class is in each part")
  func ratios() throws {
    let scan = scan([100, 10, 7, 3, 33])
    let plan = try split(scan, by: .ratios(train: 0.7, validation: 0.2, test: 0.1), seed: 1)
    #expect(plan.parts.map(\.name) == ["train", "val", "test"])
    #expect(counts(plan.parts[0], scan)[0...1] == [70, 7])
    #expect(counts(plan.parts[1], scan)[0...1] == [20, 2])
    #expect(counts(plan.parts[2], scan)[0...3] == [10, 1, 1, 1])
    #expect(plan.parts.flatMap(\.images).sorted() == Array(scan.images.indices))
    #expect(plan.warnings.isEmpty)
    let two = try split(scan, by: .ratios(train: 0.5, validation: 0, test: 0.5), seed: 1)
    #expect(two.parts.map(\.name) == ["train", "test"])
  }

  @Test("ratios below 1 leave images out, and say so")
  func leftOut() throws {
    let scan = scan([100, 50])
    let plan = try split(scan, by: .ratios(train: 0.2, validation: 0.1, test: 0), seed: 1)
    #expect(plan.parts.map(\.images.count) == [30, 15])
    #expect(plan.warnings == [.leftOut(imageCount: 105)])
  }

  @Test("missing ratios are completed")
  func completed() {
    #expect(
      Split.completedRatios(train: 0.75, validation: nil, test: nil)
        == .ratios(train: 0.75, validation: 0.25, test: 0))
    #expect(
      Split.completedRatios(train: 0.5, validation: nil, test: 0.25)
        == .ratios(train: 0.5, validation: 0.25, test: 0.25))
    #expect(
      Split.completedRatios(train: nil, validation: 0.25, test: nil)
        == .ratios(train: 0.75, validation: 0.25, test: 0))
    #expect(
      Split.completedRatios(train: nil, validation: nil, test: 0.25)
        == .ratios(train: 0.75, validation: 0, test: 0.25))
    #expect(
      Split.completedRatios(train: 0.5, validation: 0.25, test: nil)
        == .ratios(train: 0.5, validation: 0.25, test: 0))
  }

  @Test("cells and totals are within one of exact, whatever the classes", arguments: 0..<300)
  func apportionment(_ seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    let shares = [
      [0.7, 0.2, 0.1], [0.8, 0.2], [1.0 / 3, 1.0 / 3, 1.0 / 3], [0.5, 0.1, 0.1, 0.3], [0.05, 0.05, 0.9],
    ][seed % 5]
    let counts = (0..<Int.random(in: 1...40, using: &random)).map { _ in
      Int.random(in: 0...(seed % 2 == 0 ? 12 : 300), using: &random)
    }
    // Without required images every exact value is count * share.
    let free = apportion(counts, shares: shares, required: .max)
    for (count, row) in zip(counts, free) {
      #expect(row.reduce(0, +) == count)
      for (cell, share) in zip(row, shares) { #expect((Double(cell) - Double(count) * share).magnitude < 1) }
    }
    for (bin, share) in shares.enumerated() {
      let total = free.reduce(0) { $0 + $1[bin] }
      #expect((Double(total) - Double(counts.reduce(0, +)) * share).magnitude < 1 - 1e-9 || shares.count == 1)
    }
    let required = shares.count - (shares.count == 4 ? 1 : 0)
    for (count, row) in zip(counts, apportion(counts, shares: shares, required: required)) {
      #expect(row.reduce(0, +) == count && row.allSatisfy { $0 >= 0 })
      if count >= required { #expect(row.prefix(required).allSatisfy { $0 >= 1 }, "\(count): \(row)") }
    }
  }

  @Test("totals are within one of exact where rounding class by class would miss")
  func balance() {
    let (counts, shares) = ([4, 9, 20, 5, 33, 35, 6, 30, 1, 35], [0.2, 0.2, 0.05, 0.55])
    let cells = apportion(counts, shares: shares, required: .max)
    for (bin, share) in shares.enumerated() {
      let (total, exact) = (cells.reduce(0) { $0 + $1[bin] }, Double(counts.reduce(0, +)) * share)
      #expect((Double(total) - exact).magnitude < 1)
      for (count, row) in zip(counts, cells) {
        #expect((Double(row[bin]) - Double(count) * share).magnitude < 1 && row.reduce(0, +) == count)
      }
    }
  }

  @Test("each image validates in one fold and trains in the others; folds are equal within one")
  func folds() throws {
    let scan = scan([10, 7, 1, 0, 25])
    let plan = try split(scan, by: .folds(3), seed: 5)
    #expect(
      plan.parts.map(\.name) == [
        "fold0-train", "fold0-val", "fold1-train", "fold1-val", "fold2-train", "fold2-val",
      ])
    let (train, validation) = ([0, 2, 4].map { plan.parts[$0] }, [1, 3, 5].map { plan.parts[$0] })
    #expect(validation.flatMap(\.images).sorted() == Array(scan.images.indices))
    for fold in 0..<3 {
      #expect((train[fold].images + validation[fold].images).sorted() == Array(scan.images.indices))
      #expect((14...15).contains(validation[fold].images.count))
    }
    for classIndex in scan.classes.indices {
      let sizes = validation.map { counts($0, scan)[classIndex] }
      #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
    }
    #expect(plan.warnings.filter { if case .classMissing("c2", _) = $0 { true } else { false } }.count == 3)
  }

  @Test(
    "images of a group stay together, across classes too, and changed counts are reported", arguments: 0..<20)
  func groups(_ seed: Int) throws {
    let scan = scan([40, 30, 20])
    var random = SplitMix64(seed: UInt64(seed))
    let groups = ImageGroups(scan.images.map { ($0.path, "g\(Int.random(in: 0..<25, using: &random))") })
    for rule in [
      Split.perClass(10, allowSmallClasses: false), .ratios(train: 0.6, validation: 0.2, test: 0.2),
      .folds(4),
    ] {
      let plan = try split(scan, by: rule, seed: seed, groups: groups)
      let parts = rule == .folds(4) ? [1, 3, 5, 7].map { plan.parts[$0] } : plan.parts
      #expect(parts.flatMap(\.images).sorted() == Array(scan.images.indices))
      var partOfGroup: [[UInt8]: Int] = [:]
      for (index, part) in parts.enumerated() {
        for image in part.images {
          let group = try #require(groups.groupOfPath[Array(scan.images[image].path.utf8)])
          #expect(partOfGroup.updateValue(index, forKey: group) ?? index == index)
        }
      }
      for case .groupsChangedCount(let name, let partName, let wanted, let got) in plan.warnings {
        let part = try #require(plan.parts.first { $0.name == partName })
        #expect(paths(part, scan, of: name).count == got && got != wanted)
      }
    }
  }

  @Test("small groups change no counts; paths without a group and groups without a path are reported")
  func groupWarnings() throws {
    let scan = scan([20, 20])
    let pairs = (0..<10).map { ("c0/\($0).jpg", "g\($0 / 2)") } + [("c9/none.jpg", "g0"), ("c9/a.jpg", "g0")]
    let plan = try split(
      scan, by: .perClass(10, allowSmallClasses: false), seed: 2, groups: ImageGroups(pairs))
    #expect(counts(plan.parts[0], scan) == [10, 10])
    #expect(
      plan.warnings == [
        .ungrouped(imageCount: 30, example: "c0/10.jpg"), .unknownGroupPaths(count: 2, example: "c9/a.jpg"),
      ])
  }

  @Test("a groups file is read; other lines and a path in two groups are named")
  func groupsFile() throws {
    try withScratchFolder { folder in
      let path = folder + "/groups.tsv"
      writeScratchFile(path, "a/1.jpg\tg1\r\n\na/e\u{301}.jpg\tg2\na/\u{e9}.jpg\tg3\na/1.jpg\tg1".utf8)
      let groups = try ImageGroups(path: path)
      #expect(groups == ImageGroups([("a/1.jpg", "g1"), ("a/e\u{301}.jpg", "g2"), ("a/\u{e9}.jpg", "g3")]))
      for (text, sentence) in [
        ("a\tg\nb\n", "line 2: \"b\" is not a path, a tab and the name of a group"),
        ("a\t\n", "line 1: \"a\\t\" is not a path, a tab and the name of a group"),
        ("a\tg\tx\n", "line 1: \"a\\tg\\tx\" is not a path, a tab and the name of a group"),
        ("a\tg\n\na\th\n", "line 3: \"a\" is in another group already"),
      ] {
        writeScratchFile(path, text.utf8)
        let error = #expect(throws: SplitError.self) { try ImageGroups(path: path) }
        #expect(error?.description == "\(path): \(sentence)")
      }
    }
  }

  @Test(
    "numbers out of range are errors",
    arguments: [
      Split.perClass(0, allowSmallClasses: true), .perClass(-5, allowSmallClasses: true), .folds(1),
      .folds(-1),
      .ratios(train: 0, validation: 0, test: 0), .ratios(train: 0.9, validation: 0.2, test: 0),
      .ratios(train: -0.1, validation: 0.2, test: 0), .ratios(train: 1.5, validation: 0, test: 0),
      .ratios(train: .nan, validation: 0, test: 0), .ratios(train: .infinity, validation: 0, test: 0),
    ])
  func ranges(_ rule: Split) {
    #expect(throws: SplitError.self) { try split(scan([5, 5]), by: rule, seed: 1) }
  }

  @Test("no images at all is an error")
  func nothing() {
    #expect(throws: SplitError(.noImages)) { try split(scan([0, 0]), by: .folds(2), seed: 1) }
  }
}
