"""Certificates of a test control plane: two authorities, a leaf for every part, all valid for two days."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Pair:
    certificate: bytes
    key: bytes


class Authority:
    """Writes NAME.crt and NAME.key of itself and of every leaf into a private folder."""

    def __init__(self, folder: str, name: str) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = _pem(certificate)
        self.path = write(f"{folder}/{name}.crt", self.certificate)
        write(f"{folder}/{name}.key", _pem_key(self._key))

    def client(self, file: str, user: str, *groups: str) -> Pair:
        return self._leaf(file, user, groups, (), ExtendedKeyUsageOID.CLIENT_AUTH)

    def server(self, file: str, *names: str) -> Pair:
        return self._leaf(file, file, (), names, ExtendedKeyUsageOID.SERVER_AUTH)

    def _leaf(
        self, file: str, user: str, groups: tuple[str, ...], names: tuple[str, ...], usage: x509.ObjectIdentifier
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, user))
        builder = (
            _builder(x509.Name(subject), self._name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_san(name) for name in names]), critical=False)
        pair = Pair(_pem(builder.sign(self._key, hashes.SHA256())), _pem_key(key))
        write(f"{self.folder}/{file}.crt", pair.certificate)
        write(f"{self.folder}/{file}.key", pair.key)
        return pair


def signing_pair(folder: str, name: str) -> None:
    """A bare key pair: NAME.key and NAME.pub, for service account tokens."""
    key = ec.generate_private_key(ec.SECP256R1())
    write(f"{folder}/{name}.key", _pem_key(key))
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write(f"{folder}/{name}.pub", public)


def write(path: str, content: bytes) -> str:
    """Whole or not at all: other processes take a file's presence for its being finished."""
    with open(os.open(f"{path}.part", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    os.replace(f"{path}.part", path)
    return path


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=2))
    )


def _san(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
