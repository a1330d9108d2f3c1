import Files

/// Which attribute of SageMaker's augmented manifest is the label, where nobody says it.
///
/// It is the one that has its `-metadata` beside it, as labelling jobs write it; where none has, the only one that is
/// neither a reference nor metadata. Nothing else tells a label from an id or a confidence.
public enum LabelAttribute: Hashable, Sendable {
  case named(String)
  /// Each of them may be it; sorted.
  case several([String])
  case none

  /// - Parameter names: of all attributes, that of the image too where it ends in `-ref`.
  public init(among names: some Sequence<String>) {
    let names = Set(names.map { ByteName($0) })
    let others = names.filter { !$0.text.hasByteSuffix("-ref") && !$0.text.hasByteSuffix(Self.suffix) }
    let described = others.filter { names.contains(ByteName($0.text + Self.suffix)) }
    let candidates = (described.isEmpty ? others : described).sorted().map(\.text)
    self = candidates.count > 1 ? .several(candidates) : candidates.first.map { .named($0) } ?? .none
  }

  /// What the name of an attribute's metadata ends in.
  public static let suffix = "-metadata"
}
