package import HTTPTypes
package import Hummingbird
import NIOCore
import NIOHTTP1

/// An error in the form that S3 clients parse: status, code and message.
package struct S3Failure {
  package let code: String
  package let message: String
  package let statusCode: Int
  /// The size of the object whose range is not satisfiable; sent in `Content-Range`.
  package var range: Int?

  /// Translates an error. Unknown errors become InternalError, without their description.
  package init(_ error: any Error) {
    switch error {
    case let error as ObjectError: self.init(error.code.rawValue, error.message, error.statusCode)
    case let error as SignatureError: self.init(error.code.rawValue, error.message, error.statusCode)
    case let error as S3RangeError: self.init(error)
    case is HTTPParserError:
      self.init("IncompleteBody", "the request body does not match the framing in its headers", 400)
    case is CancellationError:
      self.init("ServiceUnavailable", "the server is shutting down; please try again", 503)
    default: self.init("InternalError", "we encountered an internal error; please try again", 500)
    }
  }

  private init(_ code: String, _ message: String, _ statusCode: Int) {
    (self.code, self.message, self.statusCode) = (code, message, statusCode)
  }

  private init(_ error: S3RangeError) {
    self.init("InvalidRange", "the requested range is not satisfiable", 416)
    range = error.byteCount
  }

  /// The response to send; without a body for HEAD.
  ///
  /// - Parameter id: the request id.
  package func response(to head: HTTPRequest, id: String) -> Response {
    var headers: HTTPFields = [.contentType: "application/xml"]
    if let range { headers[.contentRange] = "bytes */\(range)" }
    if statusCode == 503 { headers[.retryAfter] = "1" }
    let status = HTTPResponse.Status(code: statusCode)
    if head.method == .head { return Response(status: status, headers: headers) }
    let path = RequestTarget(head.path ?? "/").rawPath
    var body = XMLText()
    body.element("Error") { body in
      body.element("Code", code)
      body.element("Message", message)
      body.element("Resource", path)
      body.element("RequestId", id)
      body.element("HostId", id)
    }
    return Response(status: status, headers: headers, body: body.responseBody)
  }
}

/// A requested range that begins at or after the object's end; `byteCount` is the object's size.
struct S3RangeError: Error {
  let byteCount: Int
}

/// An XML document under construction.
package struct XMLText {
  private(set) var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

  /// Appends an element with escaped text.
  package mutating func element(_ name: String, _ value: String) {
    text += "<\(name)>\(xmlText(value))</\(name)>"
  }
  package mutating func element(_ name: String, _ value: Int) { text += "<\(name)>\(value)</\(name)>" }
  package mutating func element(_ name: String, _ value: Bool) { text += "<\(name)>\(value)</\(name)>" }

  /// Appends an element whose content `body` appends.
  package mutating func element(_ name: String, _ body: (inout XMLText) throws -> Void) rethrows {
    text += "<\(name)>"
    try body(&self)
    text += "</\(name)>"
  }

  /// A document with the given root element; its XML namespace is S3's by default.
  package static func document(
    _ name: String, space: String = "http://s3.amazonaws.com/doc/2006-03-01/",
    _ body: (inout XMLText) throws -> Void
  ) rethrows -> XMLText {
    var document = XMLText()
    document.text += "<\(name) xmlns=\"\(space)\">"
    try body(&document)
    document.text += "</\(name)>"
    return document
  }

  package var responseBody: ResponseBody { ResponseBody(byteBuffer: ByteBuffer(string: text)) }

  /// A 200 response with this document.
  package var response: Response {
    Response(status: .ok, headers: [.contentType: "application/xml"], body: responseBody)
  }
}
