"""Peer URLs and member ids against what Go and real members made of them."""

from __future__ import annotations

import pytest
from support import samples

from etcdtool.converters._peer_urls import canonical_peer_url, member_id, parse_registration
from etcdtool.errors import FormatError
from etcdtool.model import peer_urls

# answers of types.NewURLs in go.etcd.io/etcd/client/pkg/v3 v3.6.14, built with Go 1.26; None: it returned an error
GO_ANSWERS = [
    ("http://10.0.0.1:2380", "http://10.0.0.1:2380"),
    (" http://10.0.0.1:2380\t", "http://10.0.0.1:2380"),
    ("HTTP://Host.Example:2380", "http://Host.Example:2380"),
    ("https://a_b-c.d~:0", "https://a_b-c.d~:0"),
    ("http://:2380", "http://:2380"),
    ("http://a:", "http://a:"),
    ("http://[::1]:2380", "http://[::1]:2380"),
    ("http://[FE80::1]:2380", "http://[FE80::1]:2380"),
    ("http://[fe80::1%25eth0]:2380", "http://[fe80::1%25eth0]:2380"),
    ("http://m\xfcnchen:2380", "http://m%C3%BCnchen:2380"),
    ("http://m%c3%bcnchen:2380", "http://m%C3%BCnchen:2380"),
    ("http://a:099999", "http://a:099999"),
    ("http://a<b>:1", "http://a<b>:1"),
    ("unix://localhost:2380", "unix://localhost:2380"),
    ("unixs:///run/etcd.sock", "unixs:///run/etcd.sock"),
    ("UNIX://h:1", "unix://h:1"),
    ("unix:sock", "unix:sock"),
    ("unix:/run/etcd.sock", "unix:/run/etcd.sock"),
    ("unix:///run/etcd:1", "unix:///run/etcd:1"),
    ("unix:a:1", "unix:a:1"),
    ("unix://a:b", None),
    ("unix://a:1:2", None),
    ("\xa0http://a:1\u3000", "http://a:1"),
    ("", None),
    ("a:1", None),
    ("http://a", None),
    ("http://a:1/", None),
    ("http://a:1/x", None),
    ("http://a:x", None),
    ("http://a:-1", None),
    ("http://[::1]", None),
    ("http://::1:2380", None),
    ("http://[x]:1", None),
    ("http://a b:1", None),
    ("http://%41:1", None),
    ("http://a%:1", None),
    ("http://a^:1", None),
    ("http://a:1\n/", None),
    ("ftp://a:1", None),
    ("//a:1", None),
    ("http:a:1", None),
    ("http//a:1", None),
    ("\x1chttp://a:1", None),
]


@pytest.mark.parametrize(("text", "answer"), GO_ANSWERS)
def test_urls_are_printed_or_refused_as_go_does(text: str, answer: str | None) -> None:
    if answer is None:
        with pytest.raises(FormatError):
            canonical_peer_url(text)
    else:
        assert canonical_peer_url(text) == answer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://localhost:2380;b=http://x:1", 'invalid port ":2380;b=http:" after host'),
        ("http://::1:2380", 'invalid port "::1:2380" after host'),
        ("http://a:1:2", 'invalid port ":1:2" after host'),
        ("http://[::1]x:1", 'invalid port "x:1" after host'),
        ("http://u@[::1:2380", "missing ']' in host"),
        ("http://[fe80::1%eth0]:2380", 'invalid URL escape "%et"'),
        ("http://a%20b:1", 'invalid URL escape "%20"'),
        ("http://a b:1", 'invalid character " " in host name'),
        ("http://a\tb:1", 'parse "http://a\\tb:1": net/url: invalid control character in URL'),
        ("http://a@b", 'URL address does not have the form "host:port": http://a@b'),
    ],
)
def test_refusals_have_the_words_of_go(text: str, words: str) -> None:
    with pytest.raises(FormatError) as caught:
        peer_urls.canonical_peer_url(text)
    assert words in caught.value.problem


@pytest.mark.parametrize("text", ["http://u:p@a:1", "http://a:1?q", "http://a:1#f"])
def test_parts_that_no_peer_url_needs_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        canonical_peer_url(text)


def test_ids_are_those_that_real_v3_members_registered_under() -> None:
    pairs = [
        (kv["key_utf8"].removeprefix("/_etcd/registry/").split("/members/"), kv["value_utf8"])
        for kv in samples.expected("discovery-v3")["registry"]["kvs"]
        if "/members/" in kv["key_utf8"]
    ]
    assert len(pairs) == 7
    for (token, recorded), value in pairs:
        assert member_id(parse_registration(value.encode())[1], token.encode()) == recorded


def test_ids_are_those_of_real_v2_members_when_the_token_is_the_discovery_url() -> None:
    expected = samples.expected("discovery-v2/3.4")
    urls = {
        call["response"].rpartition("/")[2]: call["response"]
        for call in expected["calls"]
        if call["path"][:4] == "/new"
    }
    compared = 0
    for name in ("full3", "partial5", "by23", "by35"):
        directory = expected["registry_per_token"][name]["response"]["node"]
        for node in directory["nodes"]:
            _, token, recorded = node["key"].rsplit("/", 2)
            assert member_id(parse_registration(node["value"].encode())[1], urls[token].encode()) == recorded
            compared += 1
    assert compared == 7


def test_ids_are_those_that_the_running_v2_cluster_says_of_itself() -> None:
    expected = samples.expected("discovery-v2/3.4")
    url = f"http://127.0.0.1:23003/{expected['tokens']['full3']}".encode()
    for member in expected["full3_cluster_members"]["json"]["members"]:
        assert int(member_id(member["peerURLs"], url), 16) == member["ID"]


def test_several_urls_are_sorted_and_belong_to_one_member() -> None:
    name, urls = parse_registration(b"m=http://10.0.0.3:1,,m=http://10.0.0.2:1,")
    assert (name, urls) == ("m", ("http://10.0.0.2:1", "http://10.0.0.3:1"))
    assert member_id(urls, b"t") == member_id(reversed(urls), b"t")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"old-style",
        b"=http://a:1",
        b"a=",
        b"a=http://b",
        b"a=http://b:1,c=http://d:1",
        b"a=http://b:1,http://c:1",
        b",",
    ],
)
def test_what_is_no_registration_is_refused(value: bytes) -> None:
    with pytest.raises(FormatError):
        parse_registration(value)


def test_an_id_has_no_leading_zeros() -> None:
    # 93a44da75855027 of the recorded registry has 15 digits
    assert member_id(["http://127.0.0.1:23046"], b"f" * 32) == "93a44da75855027"
