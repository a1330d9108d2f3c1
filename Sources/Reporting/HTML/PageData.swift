import Files
import Scoring

/// What the script of the page knows: the classes, the cells of the matrix, and images of each cell, as columns.
struct PageData {
  /// Bytes of image names at most; a cell then lists fewer of its images than it has.
  static let nameByteLimit = 1_000_000
  static let classNameLimit = 64

  let score: Score
  let thumbs: ThumbBook

  init(_ score: Score, thumbs: ThumbBook) {
    self.score = score
    self.thumbs = thumbs
  }

  var json: String {
    var json = EmbeddedJSON()
    let images = listedImages()
    json.object { json in
      json.key("classes")
      json.strings(score.classes.map { clipped($0.name, to: Self.classNameLimit) })
      json.key("support")
      json.integers(score.classes.map(\.support))
      json.key("predicted")
      json.integers(score.classes.map(\.predicted))
      json.key("orders")
      json.object { json in
        for (name, order) in orders {
          json.key(name)
          json.integers(order)
        }
      }
      if let groups = score.groups {
        json.key("groups")
        json.integers(groups.assignment)
        json.key("groupNames")
        json.strings(groups.groups.map { clipped($0.name, to: Self.classNameLimit) })
      }
      // Truth, predicted, images, how many of them are listed.
      json.key("cells")
      json.integers(zip(score.confusion, images).flatMap { [$0.truth, $0.predicted, $0.count, $1.count] })
      json.key("ramps")
      ramps(&json)
      add(images.flatMap(\.self), to: &json)
    }
    return json.text
  }

  private var orders: [(String, [Int])] {
    var orders: [(String, [Int])] = []
    if let seriated = score.orders.seriated { orders.append(("seriated", seriated)) }
    orders += [
      ("alphabetical", score.orders.alphabetical), ("recall", score.orders.recall),
      ("support", score.orders.support),
    ]
    if let groups = score.groups { orders.append(("group", groups.groups.flatMap(\.classes))) }
    return orders
  }

  private func ramps(_ json: inout EmbeddedJSON) {
    json.object { json in
      for (name, ramp) in [
        ("errorsLight", Ramp.errorsOnLight), ("rightLight", .rightOnLight), ("errorsDark", .errorsOnDark),
        ("rightDark", .rightOnDark),
      ] {
        json.key(name)
        json.strings(ramp.steps)
      }
    }
  }

  private func add(_ images: [Int], to json: inout EmbeddedJSON) {
    var folders: [ByteName: Int] = [:]
    var folderNames: [String] = []
    var folderOf: [Int] = []
    var names: [String] = []
    var confidences: [Int] = []
    var pictures: [Int] = []
    for (place, index) in images.enumerated() {
      let prediction = score.predictions[index]
      let path = prediction.path
      let cut =
        path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path.utf8.index(after: $0) } ?? path.startIndex
      let folder = ByteName(clipped(String(path[..<cut]), to: 200))
      if folders[folder] == nil {
        folders[folder] = folderNames.count
        folderNames.append(cut == path.startIndex ? "" : folder.text)
      }
      folderOf.append(folders[folder] ?? 0)
      names.append(clipped(String(path[cut...]), to: 120))
      confidences.append(prediction.confidence.map { Int(exactly: ($0 * 1000).rounded()) ?? -1 } ?? -1)
      if let number = thumbs[path] { pictures += [place, number] }
    }
    json.key("folders")
    json.strings(folderNames)
    json.key("folder")
    json.integers(folderOf)
    json.key("name")
    json.strings(names)
    // Thousandths; -1 without probabilities.
    json.key("confidence")
    json.integers(confidences)
    json.key("thumbs")
    json.integers(pictures)
  }

  /// For each cell the places of its images in `predictions`: those with a thumbnail first, then by confidence.
  /// Errors go before what is right, and cells take turns, until there is no room for more.
  private func listedImages() -> [[Int]] {
    var places: [Int: Int] = [:]
    let width = score.classes.count
    for (index, cell) in score.confusion.enumerated() { places[cell.truth * width + cell.predicted] = index }
    var all = [[Int]](repeating: [], count: score.confusion.count)
    var weights: [Int] = []
    weights.reserveCapacity(score.predictions.count)
    var ranks: [Double] = []
    ranks.reserveCapacity(score.predictions.count)
    for (index, image) in score.predictions.enumerated() {
      weights.append(min(image.path.utf8.count, 320) + 8)
      ranks.append((image.confidence ?? 0) + (thumbs[image.path] == nil ? 0 : 2))
      if let place = places[image.truth * width + image.predicted] { all[place].append(index) }
    }
    for place in all.indices { all[place].sort { (ranks[$1], $0) < (ranks[$0], $1) } }
    var listed = [[Int]](repeating: [], count: all.count)
    var room = Self.nameByteLimit
    for isRight in [false, true] {
      let turn = score.confusion.indices.filter {
        (score.confusion[$0].truth == score.confusion[$0].predicted) == isRight
      }
      var round = 0
      var hasMore = true
      while hasMore && room > 0 {
        hasMore = false
        for place in turn where round < all[place].count && room > 0 {
          listed[place].append(all[place][round])
          room -= weights[all[place][round]]
          hasMore = true
        }
        round += 1
      }
    }
    return listed
  }
}
