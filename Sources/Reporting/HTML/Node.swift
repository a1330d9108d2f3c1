internal import Mustache

/// One object of a template: names and what they stand for.
///
/// A name without a value is absent, so its section is left out. Lookups by dictionary, not by reflection.
package struct Node: MustacheParent, ExpressibleByDictionaryLiteral {
  private var values: [String: Any] = [:]

  package init(dictionaryLiteral elements: (String, Any?)...) {
    for (name, value) in elements { self[name] = value }
  }

  package subscript(name: String) -> Any? {
    get { values[name] }
    set { values[name] = newValue }
  }

  package func child(named name: String) -> Any? { values[name] }
}
