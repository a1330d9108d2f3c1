import ArgumentParser
import Hyperparameters

/// Options that are made from rows of the table of hyperparameters, with dashes in their names; underscores are taken too
/// (`withDashes`). Their values stay text: what they mean, `HyperparameterSet` knows.
///
/// The parser finds an argument in each child of a value's mirror, and reads it by the child's label: rows need no
/// properties.
protocol HyperparameterRows: ParsableArguments, CustomReflectable {
  static var rows: [Hyperparameter] { get }
  /// Names and values that were given.
  var pairs: [(name: String, value: String)] { get set }
}

/// The hyperparameters of SageMaker's image classification algorithm.
struct HyperparameterOptions: HyperparameterRows {
  static let rows = Array(HyperparameterSet.table.dropLast(HyperparameterSet.ownCount))
  var pairs: [(name: String, value: String)] = []
}

/// What goes beyond the algorithm; off by default.
struct OwnHyperparameterOptions: HyperparameterRows {
  static let rows = Array(HyperparameterSet.table.suffix(HyperparameterSet.ownCount))
  var pairs: [(name: String, value: String)] = []
}

extension HyperparameterRows {
  init(from decoder: any Decoder) throws {
    self.init()
    let options = try decoder.container(keyedBy: HyperparameterKey.self)
    for row in Self.rows {
      let option = try options.decode(Option<String?>.self, forKey: HyperparameterKey(stringValue: row.name))
      if let value = option.wrappedValue { pairs.append((row.name, value)) }
    }
  }

  var customMirror: Mirror {
    // The common ones come first.
    let rows = Self.rows.filter { !$0.isRare } + Self.rows.filter(\.isRare)
    return Mirror(
      self,
      children: rows.map { row -> Mirror.Child in
        let option = Option<String?>(
          name: .customLong(row.name.replacing("_", with: "-")),
          help: ArgumentHelp(
            row.help, valueName: row.valueName, visibility: row.isRare ? .rare : .default))
        return (row.name, option)
      })
  }
}

private struct HyperparameterKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }

  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

/// The arguments of a verb that trains with dashes in the options' names, so that SageMaker's spelling is taken:
/// `--num_layers` is `--num-layers`. Values stay as they are.
func withDashes(_ arguments: [String]) -> [String] {
  guard arguments.first == "train" || arguments.starts(with: ["bench", "train"]) else { return arguments }
  return arguments.map { argument in
    guard argument.hasPrefix("--"), argument != "--" else { return argument }
    let end = argument.firstIndex(of: "=") ?? argument.endIndex
    return String(argument[..<end]).replacing("_", with: "-") + argument[end...]
  }
}
