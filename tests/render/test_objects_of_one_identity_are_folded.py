"""Two outputs of one component with one identity become one object, or are refused naming both origins."""

from __future__ import annotations

import apps

WEB = """
- name: web
  type: webservice
  properties: {image: "example/web:1.0.0", ports: [{port: 80, expose: true}]}
  traits: [%s]
"""


def test_ports_of_two_services_of_one_name_are_united_and_the_first_ones_labels_stay():
    made = apps.rendered(WEB % "{type: expose, properties: {port: [9090]}}")
    service = apps.body(made, "Service")
    assert [p["port"] for p in service["spec"]["ports"]] == [80, 9090]
    assert service["metadata"]["labels"]["trait.oam.dev/type"] == "AuxiliaryWorkload"
    assert service["metadata"]["labels"]["trait.oam.dev/resource"] == "webserviceExpose"


def test_two_that_disagree_are_refused_with_both_origins_and_the_path():
    (problem,) = apps.refused(WEB % "{type: expose, properties: {port: [9090], type: NodePort}}")
    assert problem.message == "Service web is made twice with different spec.type: by component web and trait expose"
    assert problem.code == "render.duplicate"
    assert problem.line == apps.line(apps.text(WEB), "traits")


def test_two_gateways_without_names_are_refused_and_with_names_are_fine():
    pair = "{type: gateway, properties: {domain: a.example.com, http: {/: 80}%s}}, {type: gateway, properties: {domain: b.example.com, http: {/: 80}%s}}"
    (problem,) = apps.refused(WEB % (pair % ("", "")))
    assert problem.code == "render.duplicate"
    made = apps.rendered(WEB % (pair % (", name: one", ", name: two, existingServiceName: web")))
    assert [m.ref.name for m in made.manifests if m.ref.kind == "Ingress"] == ["web-one", "web-two"]


def test_objects_of_two_components_are_never_folded():
    made = apps.rendered(
        "- {name: a, type: config, properties: {configMaps: {same: {x: y}}}}\n"
        "- {name: b, type: config, properties: {configMaps: {same: {x: z}}}}\n"
    )
    assert [m.ref.name for m in made.manifests] == ["same", "same"]
