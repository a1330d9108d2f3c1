import Encodings
import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import S3

/// What botocore signs: tools/oracle/goldens/signatures.py.
struct SigningCases: Decodable {
  struct Suite: Decodable, CustomTestStringConvertible {
    let name: String, method: String, target: String, headers: [[String]], body: String, kept: Bool,
      signature: String
    var testDescription: String { name }
  }
  struct Signed: Decodable, CustomTestStringConvertible {
    let rules: String, method: String, target: String, headers: [[String]], token: String?, region: String
    let service: String, body: Data, signed: [[String]]
    var testDescription: String { "\(rules) \(method) \(target)" }

    var signingRules: SigningRules { rules == "s3" ? .s3 : .general }
    var authorization: String? { signed.first { $0[0] == "Authorization" }?[1] }
  }
  struct Presigned: Decodable, CustomTestStringConvertible {
    let method: String, headers: [[String]], token: String?, expires: Int, original: String, target: String
    var testDescription: String { "\(method) \(target)" }
  }
  /// Good for ten minutes, by version 2.
  struct Older: Decodable, CustomTestStringConvertible {
    let method: String, token: String?, target: String
    var testDescription: String { "\(method) \(target)" }
  }
  struct Chunked: Decodable {
    let headers: [[String]], body: Data, data: Data, trailer: Bool
  }
  let suite: [Suite], signed: [Signed], presigned: [Presigned], chunked: [Chunked],
    older: [Older]

  static func all() throws -> SigningCases {
    try JSONDecoder().decode(SigningCases.self, from: golden("signatures.json"))
  }
}

let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

func credential(token: String? = nil, expiry: UTCTime? = nil) -> Credential {
  Credential(accessKey: "AKIDEXAMPLE", secretKey: secret, sessionToken: token, expiry: expiry)
}

/// 2015-08-30T12:36:00Z: when all cases were signed.
let signingTime = UTCTime(secondsSince1970: 1_440_938_160)

func makeRequest(_ method: String, _ target: String, _ headers: [[String]]) throws -> HTTPRequest {
  var request = HTTPRequest(
    method: try #require(HTTPRequest.Method(method)), scheme: "http", authority: "example.amazonaws.com",
    path: target)
  for header in headers {
    request.headerFields.append(HTTPField(name: try #require(HTTPField.Name(header[0])), value: header[1]))
  }
  return request
}
