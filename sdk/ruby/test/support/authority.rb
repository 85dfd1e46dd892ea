# frozen_string_literal: true

require 'openssl'

# Certificates of a test's own making: a CA, and what it signs.
class Authority
  attr_reader :certificate

  def initialize(name = 'A test')
    @key = OpenSSL::PKey::EC.generate('prime256v1')
    @certificate = make("/CN=#{name}", @key, ca: true)
  end

  # A CA that is there.
  def self.open(certificate, key)
    allocate.tap { |authority| authority.send(:become, certificate, key) }
  end

  # @return [Array(OpenSSL::X509::Certificate, OpenSSL::PKey::EC)]
  # @param life [Numeric] seconds from now
  def issue(name, alternative: nil, life: 3600)
    key = OpenSSL::PKey::EC.generate('prime256v1')
    [make("/CN=#{name}", key, alternative: alternative, life: life), key]
  end

  private

  def become(certificate, key)
    @certificate = OpenSSL::X509::Certificate.new(certificate)
    @key = OpenSSL::PKey.read(key)
  end

  def make(subject, key, ca: false, alternative: nil, life: 3600)
    OpenSSL::X509::Certificate.new.tap do |made|
      made.version = 2
      made.serial = OpenSSL::BN.rand(64)
      made.subject = OpenSSL::X509::Name.parse(subject)
      made.issuer = ca ? made.subject : @certificate.subject
      made.public_key = key
      # A certificate's times are whole seconds.
      made.not_before = Time.now - (life < 60 ? 1 : 60)
      made.not_after = Time.now + life
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
