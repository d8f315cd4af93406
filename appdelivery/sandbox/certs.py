"""The sandbox's own authority and the certificate of its listeners: made once, kept beside its state.

The only module with cryptography's X.509.  Keys are P-256; the authority's key is thrown away after it has signed, so
nobody can make a further certificate that this kubeconfig trusts.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LIFE = timedelta(days=825)  # the longest that clients of every system take from a private authority
RENEW = timedelta(days=30)  # before the end
BACK = timedelta(days=1)  # clocks of virtual machines
NAMES = ("localhost",)
ADDRESSES = ("127.0.0.1", "::1")


class Pair:
    """PEM texts: the authority for kubeconfigs, chain and key of the listener."""

    __slots__ = ("authority", "certificate", "key")

    def __init__(self, authority: bytes, certificate: bytes, key: bytes) -> None:
        self.authority = authority
        self.certificate = certificate
        self.key = key


def make(now: datetime | None = None) -> Pair:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = now or datetime.now(UTC)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, now)
    leaf = _leaf(key, authority, authority_key, now)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Pair(authority.public_bytes(pem), leaf.public_bytes(pem), secret)


def lasting(certificate: bytes, now: datetime | None = None) -> bool:
    """Whether a kept certificate will do for another while."""
    from cryptography import x509

    try:
        made = x509.load_pem_x509_certificate(certificate)
    except ValueError:
        return False
    return made.not_valid_after_utc - (now or datetime.now(UTC)) > RENEW


def _authority(key: Any, now: datetime) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = _name("appdelivery sandbox authority")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        _begun(key, name, name, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf(key: Any, authority: Any, authority_key: Any, now: datetime) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    names = [x509.DNSName(name) for name in NAMES]
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ADDRESSES]
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _begun(key, _name("appdelivery sandbox"), authority.subject, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
        .add_extension(signer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _begun(key: Any, subject: Any, issuer: Any, now: datetime) -> Any:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACK)
        .not_valid_after(now + LIFE)
    )


def _name(common: str) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*allowed: str) -> Any:
    from cryptography import x509

    known = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in allowed for name in known})
