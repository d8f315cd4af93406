"""A hundred broken inputs: what a person may hand to appctl, and what the answer must say.

Each case: files (name to text or bytes), the words after appctl, the exit code, texts that stderr must hold; `at` is the
line and column of the first problem.  Nothing may show a traceback or touch a cluster or a store.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    name: str
    files: dict[str, str | bytes]
    says: tuple[str, ...]
    at: str = ""
    words: tuple[str, ...] = ("render", "app.yaml")
    code: int = 2
    silent: tuple[str, ...] = field(default=())  # texts that must not appear


HEAD = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\n"


def app(components: str, rest: str = "") -> str:
    return f"{HEAD}spec:\n  components:\n{components}{rest}"


def web(properties: str = "image: example/web:1", more: str = "") -> str:
    return app(f"    - name: web\n      type: webservice\n      properties: {{{properties}}}\n{more}")


def traits(text: str) -> str:
    return web(more=f"      traits:\n{text}")


def one(name: str, text: str | bytes, *says: str, at: str = "", **more: object) -> Case:
    return Case(name, {"app.yaml": text}, says, at, **more)  # type: ignore[arg-type]


def definition(text: str) -> dict[str, str | bytes]:
    return {"app.yaml": web().replace("webservice", "mine"), "defs/mine.yaml": text}


def broken_definition(name: str, body: str, *says: str, at: str = "") -> Case:
    text = f"apiVersion: appdelivery.dev/v1\nkind: ComponentDefinition\nmetadata: {{name: mine}}\n{body}"
    return Case(name, definition(text), says, at, ("render", "app.yaml", "--definitions", "defs"))


OBJECT = 'outputs:\n  one:\n    apiVersion: v1\n    kind: ConfigMap\n    data: {{a: "{}"}}\n'
IMAGE = "parameters:\n  properties: {image: {type: string}, none: {type: string}}\n"


def expression(name: str, text: str, *says: str, at: str = "") -> Case:
    return broken_definition(name, IMAGE + OBJECT.format(text), *says, at=at)


YAML = [
    one("not YAML", "a: b: c\n", "app.yaml:1", at="1:5"),
    one("an unclosed quote", 'a: "b\n', "app.yaml:"),
    one("tabs as indentation", "a:\n\tb: 1\n", "app.yaml:2"),
    one(
        "a duplicate key",
        web().replace("type: webservice", "type: webservice\n      type: worker"),
        "duplicate key 'type'",
        "first in line 7",
        at="8:7",
    ),
    one(
        "an alias bomb",
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{c}: &{c} [{', '.join([f'*{p}'] * 9)}]\n" for p, c in zip("abcdefg", "bcdefgh", strict=True)),
        "alias",
    ),
    one("a recursive alias", "a: &a [*a]\n", "'*a' stands inside what it names"),
    one("fifty thousand brackets", "[" * 50_000, "100"),
    one("fifty thousand brackets in JSON", '{"a": ' + "[" * 50_000, "100"),
    one("a tag that would make an object", "a: !!python/object/apply:os.system [id]\n", "tag"),
    one("a map as key", "{a: b}: c\n", "key"),
    one("an unquoted template", "a: {{ b }}\n", "did you mean '${{'"),
    one("bytes that are no UTF-8", b"a: \xff\xfe\n", "UTF-8"),
    one("a NUL", b'a: "b\x00c"\n', "app.yaml"),
    one("an integer beyond 64 bits", web("image: a, replicas: 99999999999999999999"), "99999999999999999999 is too large"),
    one("more than 4 MiB", "a: " + "x" * (4 << 20) + "\n", "the file is too large", "limits.yaml.file"),
    one("a scalar of over 1 MiB", "a: " + "x" * ((1 << 20) + 1) + "\n", "the text is too long", "limits.yaml.scalar"),
    one("an empty file", "", "there is no Application"),
    one("a list instead of a map", "- a\n- b\n", "app.yaml:1"),
    one("text instead of a map", "hello\n", "app.yaml:1"),
    Case("JSON with a trailing comma", {"app.json": '{"a": 1,}'}, ("app.json:1",), words=("render", "app.json")),
    Case(
        "JSON with a duplicate key", {"app.json": '{"a": 1, "a": 2}'}, ("duplicate key 'a'",), words=("render", "app.json")
    ),
]

DOCUMENT = [
    one("a plain Kubernetes object", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n", "k8s-objects"),
    one(
        "a legacy kind",
        "apiVersion: core.oam.dev/v1alpha2\nkind: ApplicationConfiguration\nmetadata: {name: a}\n",
        "replaced by Application in 2021",
    ),
    one(
        "a CUE definition",
        "apiVersion: core.oam.dev/v1beta1\nkind: ComponentDefinition\nmetadata: {name: a}\n",
        "appctl import kubevela",
    ),
    one("no name", web().replace("{name: shop}", "{}"), "name"),
    one("a name that is no DNS label", web().replace("{name: shop}", "{name: Shop_1}"), "Shop_1"),
    one("no components", f"{HEAD}spec: {{}}\n", "components"),
    one("an empty list of components", f"{HEAD}spec: {{components: []}}\n", "components"),
    one("a misspelt field", web().replace("properties:", "propertys:"), "did you mean 'properties'?", at="8:7"),
    one("a misspelt field of spec", web().replace("components:", "componets:"), "did you mean 'components'?"),
    one(
        "an unknown type",
        web().replace("webservice", "webservce"),
        "unknown component type 'webservce'",
        "did you mean 'webservice'?",
        at="7:13",
    ),
    one("a version that does not exist", web().replace("webservice", "webservice@9.9.9"), "9.9.9"),
    one("an unknown trait", traits("        - type: scaller\n"), "unknown trait type 'scaller'", "did you mean 'scaler'?"),
    one(
        "two components of one name",
        app(
            "    - {name: a, type: worker, properties: {image: x}}\n    - {name: a, type: worker, properties: {image: x}}\n"
        ),
        "'a'",
        at="7:14",
    ),
    one(
        "dependsOn of nothing",
        app(
            "    - {name: a, type: worker, properties: {image: x}, dependsOn: [bb]}\n    - {name: b, type: worker, properties: {image: x}}\n"
        ),
        "bb",
        "did you mean 'b'?",
    ),
    one(
        "a cycle",
        app(
            "    - {name: a, type: worker, properties: {image: x}, dependsOn: [b]}\n    - {name: b, type: worker, properties: {image: x}, dependsOn: [a]}\n"
        ),
        "a -> b -> a",
    ),
    one(
        "a component that depends on itself",
        app("    - {name: a, type: worker, properties: {image: x}, dependsOn: [a]}\n"),
        "a -> a",
    ),
    one(
        "an input nobody writes",
        app("    - {name: a, type: worker, properties: {image: x}, inputs: [{from: nope, parameterKey: image}]}\n"),
        "nope",
    ),
    one("externalRevision", web(more="      externalRevision: v1\n"), "externalRevision"),
    one(
        "an expression in a name",
        app('    - {name: "${{ context.appName }}", type: worker, properties: {image: x}}\n'),
        "expression",
    ),
    one(
        "masked text as input",
        web('image: x, cmd: ["<redacted:7f3a91c0>"]'),
        "redacted",
        words=("validate", "app.yaml"),
        code=1,
    ),
    one(
        "an unknown policy",
        web(more="  policies:\n    - {name: p, type: topologi}\n"),
        "topologi",
        "did you mean 'topology'?",
    ),
    one(
        "a policy not carried out yet",
        web(more="  policies:\n    - {name: p, type: placement, properties: {mode: cheapest}}\n"),
        "not carried out yet",
    ),
    one(
        "a step of an unknown type",
        web(more="  workflow:\n    steps: [{name: s, type: suspnd}]\n"),
        "did you mean 'suspend'?",
        words=("validate", "app.yaml"),
        code=1,
    ),
    one(
        "an empty selector",
        web(more="  policies:\n    - {name: p, type: take-over, properties: {rules: [{selector: {}}]}}\n"),
        "selector",
    ),
    one(
        "a duration in words",
        web(more="  policies:\n    - {name: p, type: health, properties: {deadline: 5 minutes}}\n"),
        "5 minutes",
        "1h30m",
    ),
    one(
        "a drift mode that is not there yet",
        web(more="  policies:\n    - {name: p, type: drift, properties: {mode: heal}}\n"),
        "heal",
    ),
    one(
        "two policies of one name",
        web(
            more="  policies:\n    - {name: p, type: read-only, properties: {rules: [{selector: {resourceTypes: [Job]}}]}}\n    - {name: p, type: take-over, properties: {rules: [{selector: {resourceTypes: [Job]}}]}}\n"
        ),
        "'p'",
    ),
    one(
        "501 components",
        app("".join(f"    - {{name: c{i}, type: worker, properties: {{image: x}}}}\n" for i in range(501))),
        "500",
    ),
]

PROPERTIES = [
    one("an unknown property", web("image: x, imagee: y"), "unknown property 'imagee'", "did you mean 'image'?", at="8:"),
    one("a missing property", web("replicas: 1"), "image"),
    one("a number for text", web("image: 1.10"), "expected a string, got the number 1.1", "in quotes", at="8:27"),
    one("text for a number", web("image: x, replicas: three"), "replicas", "three"),
    one("a boolean for a number", web("image: x, replicas: true"), "replicas"),
    one(
        "a port out of range", web("image: x, ports: [{port: 99090}]"), "99090 is greater than the maximum of 65535", "ports"
    ),
    one("a word that is none of the list", web("image: x, imagePullPolicy: Sometimes"), "Sometimes", "Always"),
    one("a list for a map", web("image: x, limit: [cpu]"), "limit"),
    one("properties as a list", app("    - name: web\n      type: webservice\n      properties: [a]\n"), "properties"),
    one("a deep mistake", web("image: x, livenessProbe: {httpGet: {path: /, port: http}}"), "livenessProbe.httpGet.port"),
    one("an unknown key deep inside", web("image: x, livenessProbe: {httpGet: {path: /, port: 80, prot: x}}"), "prot"),
    one("several mistakes at once", web("image: 1, replicas: x, ports: [{port: 0}]"), "image", "replicas", "port"),
    one("a range turned round", traits("        - {type: hpa, properties: {min: 5, max: 2}}\n"), "max (2) is below min (5)"),
    one(
        "a gateway target that is no port",
        traits('        - {type: gateway, properties: {domain: a, http: {/: "api:"}}}\n'),
        "component:port",
    ),
    one(
        "a trait on a kind it does not fit",
        app("    - {name: t, type: task, properties: {image: x}, traits: [{type: hpa}]}\n"),
        "hpa",
        "Deployment",
    ),
    one("two owners of replicas", traits("        - type: scaler\n        - type: hpa\n"), "scaler", "hpa", "spec.replicas"),
    one("replicas beside hpa", web("image: x, replicas: 3", "      traits: [{type: hpa}]\n"), "owned by", "hpa"),
    one(
        "two traits that set one field",
        traits("        - {type: resource, properties: {cpu: 1}}\n        - {type: resource, properties: {cpu: 2}}\n"),
        "both set",
    ),
    one("a container nobody has", traits("        - {type: env, properties: {containerName: wen, env: {A: b}}}\n"), "wen"),
    one("an expression over an unknown component", web('image: "${{ components.dd.name }}"'), "dd"),
    one("an expression with a misspelt name", web('image: "${{ contxt.appName }}"'), "contxt", "context"),
    one("an expression that is no expression", web('image: "${{ a b }}"'), "app.yaml:8"),
    one("an unclosed expression", web('image: "${{ context.appName"'), "app.yaml:8"),
    one(
        "a cycle over expressions",
        app(
            '    - {name: a, type: worker, properties: {image: "${{ components.b.output.metadata.name }}"}}\n    - {name: b, type: worker, properties: {image: "${{ components.a.output.metadata.name }}"}}\n'
        ),
        "->",
    ),
    one(
        "an age value before Git sources exist",
        app("    - name: c\n      type: config\n      properties: {secrets: {s: {k: {$age: abc}}}}\n"),
        "$age",
    ),
    one(
        "a generate spelling that is wrong",
        app("    - name: c\n      type: config\n      properties: {secrets: {s: {k: {$generate: lots}}}}\n"),
        "generate",
    ),
]

DEFINITIONS = [
    broken_definition("no outputs", IMAGE, "outputs"),
    broken_definition("a misspelt section", IMAGE + "output: {}\n", "unknown section 'output', did you mean 'outputs'?"),
    broken_definition(
        "a keyword that is not supported", "parameters: {patternProperties: {}}\n" + OBJECT.format("x"), "patternProperties"
    ),
    broken_definition(
        "a reference to nothing", "parameters: {properties: {a: {$ref: '#/types/Nope'}}}\n" + OBJECT.format("x"), "Nope"
    ),
    broken_definition(
        "a remote reference", "parameters: {properties: {a: {$ref: 'http://example.com/x'}}}\n" + OBJECT.format("x"), "$ref"
    ),
    broken_definition(
        "a default of the wrong type",
        "parameters: {properties: {image: {type: string, default: 1}}}\n" + OBJECT.format("x"),
        "default",
    ),
    broken_definition(
        "a pattern with look-ahead",
        "parameters: {properties: {image: {type: string, pattern: '(?=a)'}}}\n" + OBJECT.format("x"),
        "look-ahead",
    ),
    expression("a property that is not declared", "${{ parameters.imagge }}", "imagge", "did you mean 'image'?", at="10:16"),
    expression(
        "a filter that does not exist", "${{ parameters.image | upcase }}", "unknown filter 'upcase', did you mean 'upper'?"
    ),
    expression("a method that is not available", "${{ parameters.image.format() }}", "method '.format()' is not available"),
    expression("a power", "${{ 10 ** 10000000 }}", "'**' is not allowed in an expression"),
    expression("an escape by attributes", "${{ ''.__class__.__mro__ }}", "__class__"),
    expression("an escape by attr", "${{ '' | attr('__class__') }}", "attr"),
    expression("a lookup of the environment", "${{ env('HOME') }}", "env"),
    expression("null inside text", "${{ parameters.none }}/x", "null inside text; use default('')"),
    expression("a loop over ten million", "${{ range(10000000) | join }}", "render"),
    broken_definition(
        "a misspelt directive",
        OBJECT.format("x") + "    $fro: x in parameters.y\n",
        "unknown directive '$fro', did you mean '$for'?",
    ),
    broken_definition("an include of nothing", "include: [nope]\n" + OBJECT.format("x"), "nope"),
    Case(
        "a definition under another name",
        definition(
            "apiVersion: appdelivery.dev/v1\nkind: ComponentDefinition\nmetadata: {name: yours}\n" + OBJECT.format("x")
        ),
        ("mine",),
        words=("render", "app.yaml", "--definitions", "defs"),
    ),
    Case(
        "definitions that do not exist",
        {"app.yaml": web()},
        ("nowhere",),
        words=("render", "app.yaml", "--definitions", "nowhere"),
    ),
]

USAGE = [
    Case("no file", {}, ("no application file",), words=("render",), code=64),
    Case("a file that is not there", {}, ("there is no such file",), words=("render", "nope.yaml")),
    Case("a folder without documents", {"empty/readme.txt": "x"}, ("empty",), words=("render", "empty")),
    Case("a command that does not exist", {}, ("did you mean 'render'?",), words=("rendr",), code=64),
    Case("a flag that does not exist", {"app.yaml": web()}, ("--nope",), words=("render", "app.yaml", "--nope"), code=64),
    Case("an abbreviated flag", {"app.yaml": web()}, ("--lenien",), words=("render", "app.yaml", "--lenien"), code=64),
    Case(
        "--set of an unknown component",
        {"app.yaml": web()},
        ("did you mean 'web'?",),
        words=("render", "app.yaml", "--set", "wed.image=x"),
        code=64,
    ),
    Case(
        "--set without a value",
        {"app.yaml": web()},
        ("COMPONENT.path=value",),
        words=("render", "app.yaml", "--set", "web.image"),
        code=64,
    ),
    Case(
        "--set of an unknown property",
        {"app.yaml": web()},
        ("imagee",),
        words=("render", "app.yaml", "--set", "web.imagee=x"),
    ),
    Case(
        "--set-json that is no JSON",
        {"app.yaml": web()},
        ("not JSON",),
        words=("render", "app.yaml", "--set-json", "web.image={"),
        code=64,
    ),
    Case(
        "--values that is a list",
        {"app.yaml": web(), "v.yaml": "[1]"},
        ("map from component names",),
        words=("render", "app.yaml", "--values", "v.yaml"),
        code=64,
    ),
    Case(
        "a Kubernetes version that is none",
        {"app.yaml": web()},
        ("1.36",),
        words=("render", "app.yaml", "--kube-version", "new"),
        code=64,
    ),
    Case("a cluster nobody knows", {"app.yaml": web()}, ("find",), words=("plan", "app.yaml", "--cluster", "nope")),
    Case(
        "a kubeconfig that is not there",
        {"app.yaml": web()},
        ("no such file",),
        words=("plan", "app.yaml", "--kubeconfig", "nope"),
    ),
    Case("an application nobody delivered", {}, ("shop",), words=("status", "shop")),
    Case("a saved plan that is none", {"plan.json": '{"format": "x"}'}, ("plan",), words=("up", "plan.json")),
    Case("a page of a thousand", {}, ("1 to 500",), words=("list", "--limit", "1000"), code=64),
    Case("an explanation of nothing", {}, ("webservice",), words=("explain", "webservce")),
]

CASES = [*YAML, *DOCUMENT, *PROPERTIES, *DEFINITIONS, *USAGE]
