/// The keys of an object that mean something here. All others are passed over.
enum PredictionKeys {
  enum Role: Hashable {
    /// Names the image; the lowest rank wins where several stand in one object.
    case name(rank: Int)
    /// Holds probabilities; `mayBeLabel`: or a class alone.
    case probabilities(mayBeLabel: Bool)
    /// The class a model chose.
    case predictedLabel
    /// A class: a model's where the object holds no better.
    case label
    /// What batch transform joins to an input, and that input where it was no object.
    case joinedOutput, joinedInput
  }

  /// Keys that name an image, the best first.
  static let names = [
    "path", "image", "image_path", "file", "filename", "file_name", "key", "source-ref", "source_ref",
    "s3_uri",
    "uri", "name", "id",
  ]

  static let idRank = names.count - 1

  struct Key {
    let role: Role
    /// A bit of its own, to see when a key comes twice.
    let bit: UInt64
  }

  static let known: [[UInt8]: Key] = {
    var known: [[UInt8]: Key] = [:]
    func add(_ name: String, _ role: Role) {
      known[Array(name.utf8)] = Key(role: role, bit: 1 << UInt64(known.count))
    }
    for (rank, name) in names.enumerated() { add(name, .name(rank: rank)) }
    for name in ["prediction", "predictions"] { add(name, .probabilities(mayBeLabel: true)) }
    for name in ["probabilities", "probs", "scores"] { add(name, .probabilities(mayBeLabel: false)) }
    for name in ["predicted_label", "predicted_class", "predicted"] { add(name, .predictedLabel) }
    for name in ["label", "class", "class_id", "class_name"] { add(name, .label) }
    add("SageMakerOutput", .joinedOutput)
    add("SageMakerInput", .joinedInput)
    return known
  }()
}
