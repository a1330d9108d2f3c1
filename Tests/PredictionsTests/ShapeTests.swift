import Encodings
import Testing

@testable import Predictions

/// What the parser makes of one text: the row or the label, or the sentence of the fault; and the name it gives.
private func parse(_ bytes: [UInt8], classes: [String]? = ["cat", "dog", "cow"], count: Int? = 3)
  -> (content: String, name: String?)
{
  var parser = PredictionParser(classes: classes.flatMap { try? ClassList($0) }, classCount: count)
  var scanner = JSONScanner()
  let content: String
  do throws(PredictionFault) {
    switch try parser.parse(bytes.span, &scanner) {
    case .probabilities(let count):
      content = "\(parser.values)" + (parser.values.count == count ? "" : " but \(count)")
    case .label(let label): content = "label \(label)"
    }
    scanner.skipBlanks(bytes.span)
    if scanner.cursor < bytes.count { return ("rest at byte \(scanner.cursor)", nil) }
  } catch {
    content = parser.values.isEmpty ? error.description : "values left"
  }
  return (content, parser.nameRank == nil ? nil : String(decoding: parser.name, as: UTF8.self))
}

@Suite("What an output may look like")
struct ShapeTests {
  @Test(
    "probabilities, labels and class names are found in every shape",
    arguments: [
      ("[0.5,0.25,0.25]", "[0.5, 0.25, 0.25]"),
      (" \r\n[ 0.5 ,\t0.25 , 0.25 ]\r\n", "[0.5, 0.25, 0.25]"),
      (#"{"prediction":[1,0,-0.0]}"#, "[1.0, 0.0, -0.0]"),
      (#"{"prediction": [5e-1, 0.25E0, 25e-2]}"#, "[0.5, 0.25, 0.25]"),
      (#"{"predictions":[0.5,0.25,0.25]}"#, "[0.5, 0.25, 0.25]"),
      (#"{"probabilities":[0.5,0.25,0.25],"label":2}"#, "[0.5, 0.25, 0.25]"),
      (#"{"label":2,"scores":[0.5,0.25,0.25]}"#, "[0.5, 0.25, 0.25]"),
      (#"{"label":"no class","prediction":[0.5,0.25,0.25]}"#, "[0.5, 0.25, 0.25]"),
      (#"{"SageMakerOutput":{"prediction":[0.5,0.25,0.25]}}"#, "[0.5, 0.25, 0.25]"),
      (#"{"SageMakerOutput":[0.5,0.25,0.25],"prediction":[1,1,1]}"#, "[0.5, 0.25, 0.25]"),
      (#"{"prediction":[1,1,1],"SageMakerOutput":[0.5,0.25,0.25]}"#, "[0.5, 0.25, 0.25]"),
      (#"{"prediction":null,"SageMakerOutput":[0.5,0.25,0.25]}"#, "[0.5, 0.25, 0.25]"),
      (
        #"{"more":{"prediction":[9]},"list":[[],{"a":[true,false,null]}],"prediction":[0.5,0.25,0.25]}"#,
        "[0.5, 0.25, 0.25]"
      ),
      (#"{"pre\u0064iction":[0.5,0.25,0.25]}"#, "[0.5, 0.25, 0.25]"),
      ("2", "label 2"), ("2.0", "label 2"), (#""cow""#, "label 2"), (#""c\u006fw""#, "label 2"),
      (#""1""#, "label 1"),
      (#"{"label":1}"#, "label 1"), (#"{"predicted_label":1,"label":2}"#, "label 1"),
      (#"{"label":2,"predicted_class":"dog"}"#, "label 1"), (#"{"prediction":1}"#, "label 1"),
      (#"{"prediction":"dog"}"#, "label 1"), (#"{"class_name":"dog"}"#, "label 1"),
      (#"{"SageMakerInput":{"id":7},"SageMakerOutput":{"predicted_label":0}}"#, "label 0"),
      ("[3,4,5]", "[3.0, 4.0, 5.0]"), ("[0.9,0.9,0.9]", "[0.9, 0.9, 0.9]"),
    ])
  func shapes(_ text: String, _ expected: String) {
    #expect(parse(Array(text.utf8)).content == expected)
  }

  @Test(
    "anything but a prediction is refused with the byte and the reason",
    arguments: [
      ("", "byte 0: there is no JSON, the text is empty"),
      (" \n", "byte 0: there is no JSON, the text is empty"),
      ("\u{FEFF}[1,0,0]", "byte 0: a byte order mark, which JSON must not have"),
      ("[0.5,NaN,0.5]", "byte 5: 'NaN' where a number is expected"),
      ("[0.5,nan,0.5]", "byte 5: 'nan' where a number is expected"),
      ("[0.5,Infinity,0.5]", "byte 5: 'Infinity' where a number is expected"),
      ("[0.5,-Infinity,0.5]", "byte 5: '-Infinity' where a number is expected"),
      ("[0.5,-0.1,0.6]", "byte 5: -0.1 is negative; a probability is 0 or more"),
      ("[0.5,1e999,0]", "byte 5: the number 1e999 is larger than a double can be"),
      ("[1e308,1e308,1e308]", "the sum of the probabilities is larger than a double can be"),
      ("[0,0,0]", "all probabilities are 0"), ("[0,0,1e-999]", "all probabilities are 0"),
      ("[]", "0 probabilities, but 3 are expected, one for each class"),
      ("[0.5,0.5]", "2 probabilities, but 3 are expected, one for each class"),
      ("[0.25,0.25,0.25,0.25]", "4 probabilities, but 3 are expected, one for each class"),
      ("[[0.5,0.25,0.25]]", "byte 1: '[' where a number is expected"),
      (#"["0.5","0.25","0.25"]"#, "byte 1: '\"' where a number is expected"),
      ("[0.5,null,0.5]", "byte 5: 'null' where a number is expected"),
      ("[0.5,true,0.5]", "byte 5: 'true' where a number is expected"),
      ("[0.5,0.25,0.25", "byte 14: the text ends where ',' or ']' is expected"),
      ("[0.5,0.25,", "byte 10: the text ends where a number is expected"),
      ("[0.5,0.25,0.", "byte 12: the text ends where a digit is expected"),
      ("[0.5,0.25,]", "byte 10: ']' where a number is expected"),
      ("[0.5 0.25]", "byte 5: '0.25' where ',' or ']' is expected"),
      ("[0.5,0.25,0.25}", "byte 14: '}' where ',' or ']' is expected"),
      ("[0,5,0.25,0,25]", "5 probabilities, but 3 are expected, one for each class"),
      ("0.5,0.25,0.25", "label 0.5 is unknown; a whole number from 0 to 2 is expected"),
      ("[00.5]", "byte 2: '0.5' where ',' or ']' is expected"),
      ("nonsense", "byte 0: 'nonsense' where an array of probabilities, a label or an object is expected"),
      ("null", "byte 0: 'null' where an array of probabilities, a label or an object is expected"),
      ("<html>", "byte 0: '<' where an array of probabilities, a label or an object is expected"),
      ("{}", #"the object has no "prediction" or other known key for a prediction"#),
      (#"{"error":"oops"}"#, #"the object has no "prediction" or other known key for a prediction"#),
      (#"{"prediction":null}"#, "byte 14: 'null' where an array of probabilities or a label is expected"),
      (#"{"prediction":{"a":1}}"#, "byte 14: '{' where an array of probabilities or a label is expected"),
      (#"{"scores":1}"#, "byte 10: '1' where an array of probabilities is expected"),
      (#"{"prediction":[0.5,0.25,0.25]"#, "byte 29: the text ends where ',' or '}' is expected"),
      (#"{"prediction":[0.5,0.25,0.25],}"#, "byte 30: '}' where a key in quotes is expected"),
      (#"{"prediction" [0.5]}"#, "byte 14: '[' where ':' is expected"),
      (#"{prediction:[0.5]}"#, "byte 1: 'prediction' where a key in quotes is expected"),
      (
        #"{"prediction":[1,0,0],"prediction":[0,1,0]}"#,
        #"byte 35: the key "prediction" stands twice in one object"#
      ),
      (#"{"x":1,"y":2,"\u0078":3,"scores":[1,0,0]}"#, #"byte 22: the key "x" stands twice in one object"#),
      (
        #"{"SageMakerInput":{"id":1,"id":2},"prediction":[1,0,0]}"#,
        #"byte 31: the key "id" stands twice in one object"#
      ),
      (#"{"a":"\x"}"#, "byte 6: a backslash is followed by none of JSON's escapes"),
      (#"{"a":"\ud800"}"#, "byte 6: half of a surrogate pair is escaped without the other half"),
      (#"{"a":"\udc00\ud800"}"#, "byte 6: half of a surrogate pair is escaped without the other half"),
      (#"{"a":"\u12g4"}"#, "byte 10: 'g4' where four hexadecimal digits is expected"),
      ("{\"a\":\"\t\"}", "byte 6: a string holds control character 9 unescaped"),
      ("{\"a", "byte 3: the text ends where the end of a string is expected"),
      (#"{"a":tru}"#, "byte 5: 'tru' where a value is expected"),
      ("3", "label 3 is unknown; a whole number from 0 to 2 is expected"),
      ("-1", "label -1 is unknown; a whole number from 0 to 2 is expected"),
      ("1.5", "label 1.5 is unknown; a whole number from 0 to 2 is expected"),
      ("1e999", "label 1e999 is unknown; a whole number from 0 to 2 is expected"),
      (
        "123456789012345678901234567890",
        "label 123456789012345678901234567890 is unknown; a whole number from 0 to 2 is expected"
      ),
      (#""horse""#, #"class "horse" is not on the class list"#),
      (#""""#, #"class "" is not on the class list"#),
      (#""3""#, #"class "3" is not on the class list"#),
    ])
  func refusals(_ text: String, _ expected: String) {
    #expect(parse(Array(text.utf8)).content == expected)
  }

  @Test("bytes that are not UTF-8 are refused, in a string and outside")
  func notUTF8() {
    #expect(
      parse(Array(#"{"a":""#.utf8) + [0x66, 0xFF] + Array(#""}"#.utf8)).content
        == "byte 6: a string is not UTF-8")
    #expect(parse([0xFF, 0xFE, 0x5B, 0]).content == "byte 0: a byte order mark, which JSON must not have")
    #expect(parse(Array("[1,".utf8) + [0xC3, 0x28]).content == #"byte 3: '\xc3' where a number is expected"#)
    #expect(parse(Array("[1,\0]".utf8)).content == #"byte 3: '\u{0}' where a number is expected"#)
  }

  @Test("nesting is limited wherever it comes, without a stack that could run over")
  func depth() {
    let deep = String(repeating: "[", count: 100_000)
    #expect(
      parse(Array("{\"a\":\(deep)".utf8)).content
        == "byte 69: arrays and objects are nested more than 64 deep")
    let joined = String(repeating: "{\"SageMakerOutput\":", count: 100_000)
    #expect(parse(Array(joined.utf8)).content.contains("nested more than 64 deep"))
    let fine = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    #expect(parse(Array("{\"a\":\(fine),\"label\":1}".utf8)).content == "label 1")
  }

  @Test("without a class list any number of probabilities will do, and labels up to 9,999")
  func unknownClasses() {
    #expect(parse(Array("[1]".utf8), classes: nil, count: nil).content == "[1.0]")
    #expect(parse(Array("[1,2]".utf8), classes: nil, count: nil).content == "[1.0, 2.0]")
    #expect(parse(Array("9999".utf8), classes: nil, count: nil).content == "label 9999")
    #expect(
      parse(Array("10000".utf8), classes: nil, count: nil).content
        == "label 10000 is unknown; a whole number from 0 is expected")
    #expect(
      parse(Array("[]".utf8), classes: nil, count: nil).content
        == "0 probabilities, but 1 are expected, one for each class")
  }

  @Test(
    "the best name is taken, also from a joined input and behind a prediction that is none",
    arguments: [
      (#"{"path":"a.jpg","label":1}"#, "a.jpg"), (#"{"label":1,"id":17}"#, "17"),
      (#"{"id":17,"image":"a.jpg","label":1}"#, "a.jpg"),
      (#"{"file":"b","path":"a.jpg","label":1}"#, "a.jpg"),
      (#"{"source-ref":"s3://b/a.jpg","label":1}"#, "s3://b/a.jpg"),
      (#"{"path":"\u00e4\n\"<\/script>","label":1}"#, "ä\n\"</script>"),
      (#"{"path":"\ud83d\ude00","label":1}"#, "😀"),
      (#"{"SageMakerInput":{"key":"a.jpg"},"SageMakerOutput":{"prediction":[1,0,0]}}"#, "a.jpg"),
      (#"{"prediction":[-1],"path":"a.jpg"}"#, "a.jpg"), (#"{"path":"a.jpg","prediction":[0.5,"#, "a.jpg"),
      (#"{"path":null,"id":1.5,"key":{"a":1},"label":1}"#, nil), (#"{"path":"","label":1}"#, nil),
      ("[1,0,0]", nil),
    ] as [(String, String?)])
  func names(_ text: String, _ expected: String?) {
    #expect(parse(Array(text.utf8)).name == expected)
  }
}
