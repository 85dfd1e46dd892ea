# frozen_string_literal: true

require 'openssl'

module Agentworks
  # An agent's certificate and its key: made, written, renewed.
  module Certificates
    # PEM texts. The key is PKCS#8.
    KeyAndRequest = Struct.new(:key, :csr)

    # Certificates in a PEM text.
    BLOCK = /-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?/m.freeze

    module_function

    # Makes a key (ECDSA, P-256) and a request for it (PKCS#10). The key never leaves the machine; the request proves that whoever sends it
    # has the key.
    # @param common_name [String] for people who look at the request: whose the certificate will be, the broker says
    # @return [KeyAndRequest]
    def make_key_and_request(common_name)
      key = OpenSSL::PKey::EC.generate('prime256v1')
      request = OpenSSL::X509::Request.new
      request.version = 0
      request.subject = OpenSSL::X509::Name.new([['CN', common_name, OpenSSL::ASN1::UTF8STRING]])
      request.public_key = key
      request.sign(key, 'SHA256')
      KeyAndRequest.new(key.private_to_pem, request.to_pem)
    end

    # Whose it says it is: the same in every certificate of an agent, whoever issued it.
    # @param certificate [OpenSSL::X509::Certificate]
    # @return [String, nil]
    def common_name(certificate)
      certificate.subject.to_a.find { |name, _, _| name == 'CN' }&.at(1)
    end
  end
end
