"""Laws of the guard: which names the server answers to, and which pages it answers."""

import pytest
from guarded_requests import OWN, PORT, ask, fill
from hypothesis import given
from hypothesis import strategies as st

from seat_components.labelling.commands import serve
from seat_components.labelling.guard import Gate
from seat_components.labelling.guard.endpoints import ENDPOINTS
from seat_components.refusals import RefusalError


@given(host=st.text("abc0123.:[]@/%*", max_size=20))
@pytest.mark.parametrize(
    "form", ["{}", "{}:8000", "127.0.0.1{}", "127.0.0.1:8000{}", "{}127.0.0.1:8000", "localhost.{}:8000"]
)
def test_only_its_own_names_are_hosts(form, host):
    own = [f"{name}:{PORT}" for name in ("127.0.0.1", "localhost", "[::1]")]
    value = form.format(host)
    answer = ask("GET", "/info/", {"Host": value})
    assert answer.refused if value not in own else answer.passed


@pytest.mark.parametrize("headers", [[("Host", OWN), ("Host", OWN)], [("Host", "")], [("Host", "127.0.0.1")]])
def test_one_host_with_the_port_must_be_there(headers):
    assert ask("GET", "/info/", headers).refused


@given(origin=st.text(max_size=30) | st.sampled_from(["null", "*", "file://", "http://localhost:3000", f"ftp://{OWN}"]))
@pytest.mark.parametrize("form", ["{}", "http://{}", f"http://{OWN}{{}}", f"http://{{}}.{OWN}", f"http://{{}}@{OWN}"])
def test_no_other_page_is_answered(form, origin):
    value = form.format(origin)
    for endpoint in ENDPOINTS:
        answer = ask(endpoint.method, fill(endpoint)[0], {"Origin": value})
        own = value.lower() in {f"{scheme}://{name}:{PORT}" for scheme in ("http", "https") for name in ("127.0.0.1",)}
        assert answer.refused or own
        assert "access-control-allow-origin" not in answer.headers
        preflight = ask("OPTIONS", fill(endpoint)[0], {"Origin": value, "Access-Control-Request-Method": "DELETE"})
        assert preflight.refused
        assert "access-control-allow-origin" not in preflight.headers


def test_its_own_page_and_one_let_in_by_name_are_answered():
    viewer = "https://viewer.example.org"
    gate = Gate(["label.example.org", "other:81"], [viewer])
    own = ask(
        "GET", "/info/", {"Origin": f"http://{OWN}", "Sec-Fetch-Site": "same-origin", "Referer": f"http://{OWN}/ohif/"}
    )
    assert own.passed
    assert own.headers["cross-origin-resource-policy"] == "same-origin"
    assert own.headers["x-content-type-options"] == "nosniff"
    answer = ask(
        "GET", "/info/", {"Origin": viewer, "Sec-Fetch-Site": "cross-site", "Referer": f"{viewer}/"}, gate=gate
    )
    assert answer.passed
    assert answer.headers["access-control-allow-origin"] == viewer
    assert "origin" not in answer.passed["headers"]
    preflight = ask("OPTIONS", "/train/", {"Origin": viewer}, gate=gate)
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == viewer
    for host in ("label.example.org", "label.example.org:443", "LABEL.example.org", "other:81", OWN):
        assert ask("GET", "/info/", {"Host": host}, gate=gate).passed
    assert ask("GET", "/info/", {"Host": "label.example.org", "Origin": "https://label.example.org"}, gate=gate).passed
    for host in ("other", "other:82", "a.label.example.org", "label.example.org.evil"):
        assert ask("GET", "/info/", {"Host": host}, gate=gate).refused


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_a_link_on_another_page_leads_to_pages_only(site):
    """A page can ask without Origin: by a picture, a script, a frame, a link."""
    link = {
        "Sec-Fetch-Site": site,
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Referer": "https://evil.example/",
    }
    pages = {endpoint.path for endpoint in ENDPOINTS if ask(endpoint.method, fill(endpoint)[0], link).passed}
    assert pages == {"/", "/docs", "/info", "/logs", "/ohif/{files}"}
    for mode, dest in (("navigate", "iframe"), ("no-cors", "image"), ("no-cors", "script"), ("cors", "empty")):
        headers = {**link, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        assert all(ask(endpoint.method, fill(endpoint)[0], headers).refused for endpoint in ENDPOINTS)


def test_names_that_let_everyone_in_are_refused():
    for host, origin in (
        ("*", ""),
        ("a/b", ""),
        ("", "*"),
        ("", "null"),
        ("", "https://a/b"),
        ("", "https://*.org"),
        ("", "a"),
    ):
        hosts, origins = ([host] if host else []), ([origin] if origin else [])
        with pytest.raises(RefusalError, match="is no"):
            Gate(hosts, origins)
        with pytest.raises(RefusalError, match="is no"):
            serve(*[None] * 6, hosts=hosts, origins=origins)
