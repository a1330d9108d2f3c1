import Files

/// Outputs that would overwrite an input or each other are refused before anything is read.
func checkNames(outputs: [String], inputs: [String]) throws(PackingError) {
  for (place, output) in outputs.enumerated() {
    if let input = inputs.first(where: { isSameFile($0, output) }) {
      throw PackingError(
        .contradiction("\(output): the output would replace the input \(input); choose another name"))
    }
    if let other = outputs[..<place].first(where: { isSameFile($0, output) }) {
      throw PackingError(
        .contradiction("\(output): this name would stand for two outputs, \(other) too; choose another"))
    }
  }
}
