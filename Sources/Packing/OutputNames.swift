import Files

/// Refuses outputs that would overwrite an input or each other.
func checkNames(outputs: [String], inputs: [String]) throws(PackingError) {
  for (place, output) in outputs.enumerated() {
    if let input = inputs.first(where: { isSameFile($0, output) }) {
      throw PackingError(
        .contradiction("\(output): this output would overwrite the input \(input); choose another name"))
    }
    if let other = outputs[..<place].first(where: { isSameFile($0, output) }) {
      throw PackingError(
        .contradiction("\(output): this output and \(other) would be the same file; choose another name"))
    }
  }
}
