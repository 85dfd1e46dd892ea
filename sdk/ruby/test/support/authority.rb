# frozen_string_literal: true

require 'openssl'

# Certificates of a test's own making: a CA, and what it signs.
class Authority
  attr_reader :certificate

  def initialize(name = 'A test')
    @key = OpenSSL::PKey::EC.generate('prime256v1')
    @certificate = make("/CN=#{name}", @key, ca: true)
  end

  # @return [Array(OpenSSL::X509::Certificate, OpenSSL::PKey::EC)]
  def issue(name, alternative: nil)
    key = OpenSSL::PKey::EC.generate('prime256v1')
    [make("/CN=#{name}", key, alternative: alternative), key]
  end

  private

  def make(subject, key, ca: false, alternative: nil)
    OpenSSL::X509::Certificate.new.tap do |made|
      made.version = 2
      made.serial = OpenSSL::BN.rand(64)
      made.subject = OpenSSL::X509::Name.parse(subject)
      made.issuer = ca ? made.subject : @certificate.subject
      made.public_key = key
      made.not_before = Time.now - 60
      made.not_after = Time.now + 3600
      extend_with(made, ca, alternative)
      made.sign(@key, 'SHA256')
    end
  end

  def extend_with(made, is_ca, alternative)
    factory = OpenSSL::X509::ExtensionFactory.new(@certificate || made, made)
    made.add_extension(factory.create_extension('basicConstraints', "CA:#{is_ca ? 'TRUE' : 'FALSE'}", true))
    made.add_extension(factory.create_extension('subjectAltName', alternative)) if alternative
  end
end
