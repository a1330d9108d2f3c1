import Encodings
package import HTTP
package import HTTPTypes
package import HummingbirdCore
import NIOCore

/// Why a request is refused by `SignatureGate`; each service has its own format for the response.
package struct SignatureRefusal: Error, Sendable {
  package let status: HTTPResponse.Status
  /// The error code as services other than S3 spell it.
  package let code: String
  package let message: String

  package init(status: HTTPResponse.Status, code: String, message: String) {
    (self.status, self.code, self.message) = (status, code, message)
  }
}

/// Admits requests to SageMaker's control plane and runtime only if they are signed with one credential.
///
/// S3 does without: there, the body's digest is in a header, so the body need not be held in memory to verify
/// the signature.
package struct SignatureGate: Sendable {
  private let credential: Credential
  private let bodies: ReceivedBytes

  package init(_ credential: Credential, bodies: ReceivedBytes) {
    self.credential = credential
    self.bodies = bodies
  }

  /// Verifies a request's signature.
  ///
  /// - Parameters:
  ///   - limit: the maximum size of the body, in bytes.
  ///   - service: the service that the signature must be for.
  /// - Returns: the request with its whole body in memory, because the signature covers the body's digest.
  package func admit(
    _ request: Request, limit: Int, service: String = "sagemaker"
  ) async throws(SignatureRefusal) -> Request {
    let verifier = RequestVerifier([credential], rules: .general, service: service)
    do throws(SignatureError) {
      _ = try verifier.verify(request.head, bodyDigest: "", now: .now)
    } catch {
      // Any other error is independent of the body, so refuse without reading the body.
      guard error.code == .signatureDoesNotMatch else { throw SignatureRefusal(error) }
    }
    let body = try await body(of: request, limit: limit)
    do throws(SignatureError) {
      _ = try verifier.verify(request.head, bodyDigest: sha256Text(Array(buffer: body)), now: .now)
    } catch {
      throw SignatureRefusal(error)
    }
    var admitted = request
    admitted.body = RequestBody(buffer: body)
    return admitted
  }

  private func body(of request: Request, limit: Int) async throws(SignatureRefusal) -> ByteBuffer {
    let tooLarge = SignatureRefusal(
      status: .contentTooLarge, code: "ValidationException",
      message: "The request body is larger than the limit of \(limit) bytes.")
    if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { throw tooLarge }
    var body = ByteBuffer()
    var count = 0
    // The service that handles the request counts the body again.
    defer { bodies.give(back: count) }
    do {
      for try await part in request.body {
        guard part.readableBytes <= limit - count else { throw tooLarge }
        guard bodies.take(part.readableBytes) else {
          throw SignatureRefusal(
            status: .serviceUnavailable, code: "ServiceUnavailable",
            message: "Too much data is being received; try again soon.")
        }
        count += part.readableBytes
        body.writeImmutableBuffer(part)
      }
    } catch let refusal as SignatureRefusal {
      throw refusal
    } catch {
      throw SignatureRefusal(
        status: .badRequest, code: "ValidationException", message: "The request body is incomplete.")
    }
    return body
  }
}

extension SignatureRefusal {
  init(_ error: SignatureError) {
    self.init(
      status: .init(code: error.statusCode), code: error.generalCode, message: error.message)
  }
}

extension Request {
  /// The region and service that a request claims to be signed for; unverified.
  ///
  /// Taken from `Credential=KEY/20261129/eu-west-1/sagemaker/aws4_request` in the Authorization header, or
  /// from `X-Amz-Credential` in the query.
  package var claimedScope: (region: String, service: String)? {
    let credential: String
    if let header = headers[.authorization] {
      guard let start = header.firstRange(of: "Credential=")?.upperBound else { return nil }
      credential = String(header[start...].prefix { $0 != "," && $0 != " " })
    } else {
      guard let value = RequestTarget(head.path ?? "/").value("X-Amz-Credential") else { return nil }
      credential = value
    }
    let parts = credential.split(separator: "/", omittingEmptySubsequences: false).suffix(4).map(String.init)
    return parts.count == 4 && parts[3] == "aws4_request" ? (parts[1], parts[2]) : nil
  }
}
