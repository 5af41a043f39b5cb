#!/usr/bin/env python3
"""Checks what of the stack can be checked without starting it: no Docker engine, no cluster, no network.

    stack/tools.sh && stack/.tools/venv/bin/python stack/check.py [NAME …]

Each check is a function below and prints what it ran. A tool that is missing fails its checks: nothing is skipped.
"""

import copy
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import yaml

STACK = Path(__file__).parent.resolve()
PROJECT = STACK.parent
RULES = STACK / "prometheus" / "rules"
DASHBOARDS = STACK / "grafana" / "dashboards"

CHECKS = []


class Wrong(Exception):
    """What is wrong, and where."""


def check(function):
    CHECKS.append(function)
    return function


def run(tool, *arguments, folder=PROJECT, environment=None, quiet=False):
    """Runs a tool of stack/.tools and returns what it printed; one that fails or is missing is wrong."""
    program = STACK / ".tools" / "bin" / tool
    if not program.exists():
        raise Wrong(f"{tool} is missing: stack/tools.sh installs it")
    shown = " ".join(str(argument).replace(f"{PROJECT}/", "") for argument in arguments)
    if not quiet:
        print(f"     ran {tool} {shown}")
    done = subprocess.run([program, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    # PyPI's Compose ends with 0 whatever it thinks of the file: what it refuses it doesn't print.
    if done.returncode or (tool == "docker-compose" and not done.stdout):
        raise Wrong(f"{tool} {shown}\n{done.stdout}{done.stderr}")
    return done.stdout


def python(script, *arguments):
    print(f"     ran {script} {' '.join(arguments)}")
    done = subprocess.run([sys.executable, STACK / script, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise Wrong(done.stdout + done.stderr)


def want(condition, message):
    if not condition:
        raise Wrong(message)


def load(path):
    return yaml.safe_load((STACK / path).read_text())


COMPOSE = ("compose.yaml", "compose.postgres.yaml")


def compose(file="compose.yaml", **variables):
    """A compose file as Compose itself understands it, with no other variables set."""
    arguments = ("--file", STACK / file, "config", "--format", "json")
    return json.loads(run("docker-compose", *arguments, environment={"PATH": "/usr/bin:/bin", **variables}))


def version():
    return tomllib.loads((PROJECT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


# The image and the compose file.


@check
def the_dockerfile_is_sound():
    run("hadolint", STACK / "Dockerfile")
    text = (STACK / "Dockerfile").read_text()
    channel = tomllib.loads((PROJECT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    want(f"FROM rust:{channel}-" in text, f"it builds with another Rust than rust-toolchain.toml's {channel}")
    for line in (STACK / "Dockerfile.dockerignore").read_text().splitlines():
        if line.startswith("!"):
            want((PROJECT / line[1:]).exists(), f"Dockerfile.dockerignore lets {line[1:]} in, which isn't there")


@check
def the_compose_files_are_sound():
    for file in COMPOSE:
        services = compose(file)["services"]
        for name, service in services.items():
            tag = service["image"].rpartition(":")[2]
            # PostgreSQL's versions have two numbers since 10.
            pinned = r"\d+\.\d+-bookworm" if service["image"].startswith("postgres:") else r"v?\d+\.\d+\.\d+"
            want(re.fullmatch(pinned, tag), f"{name}'s image is pinned to no version: {service['image']}")
            for volume in service.get("volumes", []):
                source = volume["source"]
                want(volume["type"] != "bind" or Path(source).exists(), f"{name} mounts {source}, which isn't there")
            for port in service.get("ports", []):
                want(port.get("host_ip") == "127.0.0.1", f"{name}'s port {port['published']} is open to everybody by default")
        published = [port["published"] for service in services.values() for port in service.get("ports", [])]
        want(len(published) == len(set(published)), f"{file} publishes a port twice: {sorted(published)}")
        ours = {service["image"] for service in services.values() if "build" in service}
        want(ours == {f"till:{version()}"}, f"the image isn't named after the version {version()}: {ours}")


@check
def the_compose_files_take_their_variables():
    for file in COMPOSE:
        services = compose(file, STACK_ADDRESS="192.0.2.1", TRACES_EXPORTERS="[otlphttp/vendor]")["services"]
        for name, service in services.items():
            for port in service.get("ports", []):
                want(port["host_ip"] == "192.0.2.1", f"STACK_ADDRESS changes nothing of {name} in {file}")
        passed = services["otel-collector"]["environment"]["TRACES_EXPORTERS"]
        want(passed == "[otlphttp/vendor]", f"TRACES_EXPORTERS changes nothing in {file}")


@check
def two_tills_share_one_database_that_has_a_synchronous_standby():
    services = compose("compose.postgres.yaml")["services"]
    tills = {name: service for name, service in services.items() if (service.get("command") or [""])[0] == "serve"}
    want(len(tills) > 1, f"there are not several tills: {sorted(tills)}")
    migrate = services["migrate"]
    want(migrate["command"] == ["store", "migrate"] and migrate["restart"] == "no", "migrate isn't `till store migrate`, once")
    folders, stocks = [], []
    for name, till in {**tills, "migrate": migrate}.items():
        for key in ("TILL_STORE_URL", "TILL_STORE_PASSWORD_FILE", "TILL_STORE_REQUIRE_SYNCHRONOUS"):
            want(till["environment"].get(key) == migrate["environment"].get(key) is not None, f"{name} has another {key}")
        want(till["environment"]["TILL_STORE_REQUIRE_SYNCHRONOUS"] == "on", f"{name} would do without a standby")
    for name, till in tills.items():
        waits = {other: how["condition"] for other, how in till["depends_on"].items()}
        want(waits == {"migrate": "service_completed_successfully"}, f"{name} waits for {waits}, not for the schema")
        folders += [volume["source"] for volume in till["volumes"] if volume["target"] == "/data"]
        stocks.append([argument for argument in till["command"] if argument.startswith("--set=stock.")])
    want(len(set(folders)) == len(tills), f"two tills share a folder: {folders}")
    want(stocks.count(stocks[0]) == len(stocks), f"the tills open the shop with other stocks: {stocks}")
    servers = re.fullmatch(r"postgres://till@([a-z,]+)/shop\?target_session_attrs=read-write", migrate["environment"]["TILL_STORE_URL"])
    want(servers and set(servers[1].split(",")) == {"primary", "standby"}, "the URL doesn't name both servers")
    for name in ("primary", "standby"):
        want(migrate["depends_on"][name]["condition"] == "service_healthy", f"the schema doesn't wait for {name}")
        want("ports" not in services[name], f"{name} is open to others than this file's network")
    # What the two scripts have to agree on.
    primary, standby = ((STACK / "postgres" / f"{name}.sh").read_text() for name in ("primary", "standby"))
    named = re.search(r"SET synchronous_standby_names = '(\w+)';", primary)
    want(named and f"application_name={named[1]}'" in standby, "the standby doesn't have the name that the primary waits for")
    slot = re.search(r"pg_create_physical_replication_slot\('(\w+)'\)", primary)
    want(slot and f"--slot {slot[1]} " in standby, "the standby asks for another slot than the primary has")
    want(standby.rstrip().endswith("-c synchronous_standby_names="), "the standby, once promoted, would wait for itself")
    for script in ((STACK / "postgres" / name) for name in ("primary.sh", "standby.sh")):
        done = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
        want(not done.returncode, done.stderr)
        # The image runs a script that may be executed, and reads any other into its own shell, `set -u` included.
        want(os.access(script, os.X_OK), f"{script.name} may not be executed")
    print(f"     read {', '.join(sorted(tills))}, migrate, primary, standby and the two scripts")


@check
def every_password_is_drawn_and_every_file_of_one_is_there():
    services = compose("compose.postgres.yaml")["services"]
    drawn = set(re.search(r"for name in ([a-z ]+);", services["tokens"]["command"][0])[1].split())
    named = set(re.findall(r"/tokens/(\w+)", json.dumps({key: service for key, service in services.items() if key != "tokens"})))
    for script in (STACK / "postgres").glob("*.sh"):
        named |= set(re.findall(r"/tokens/(\w+)", script.read_text()))
    want(drawn == named, f"drawn are {sorted(drawn)}, read are {sorted(named)}")
    for name, service in services.items():
        reads = "/tokens/" in json.dumps(service) or name in ("primary", "standby")
        has = any(volume["source"] == "tokens" for volume in service.get("volumes", []))
        want(reads == has, f"{name} {'reads' if reads else 'does not read'} a password and {'has' if has else 'lacks'} the volume")
    print(f"     read {', '.join(sorted(drawn))}")


@check
def haproxy_takes_its_configuration():
    run("haproxy", "-c", "-f", STACK / "haproxy.cfg")
    services = compose("compose.postgres.yaml")["services"]
    tills = {name for name, service in services.items() if (service.get("command") or [""])[0] == "serve"}
    text = (STACK / "haproxy.cfg").read_text()
    want(set(re.findall(r"^    server [a-z0-9-]+ ([a-z0-9-]+):8000$", text, re.MULTILINE)) == tills, "it spreads over other tills")
    want("httpchk GET /readyz" in text and "retry-on" not in text, "it asks for no readiness, or sends a checkout twice")


# The Collector. Its own `validate` isn't to be had here, so this is less: names, order and variables.

PLACEHOLDER = re.compile(r"\$\{env:(\w+)(:-([^}]*))?}")


def with_defaults(value):
    """Puts the defaults in for the variables, as the Collector does: what stands alone is YAML of its own."""
    if isinstance(value, dict):
        return {key: with_defaults(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_defaults(inner) for inner in value]
    if not isinstance(value, str):
        return value
    alone = PLACEHOLDER.fullmatch(value)
    return yaml.safe_load(alone[3] or "") if alone else PLACEHOLDER.sub(lambda found: found[3] or "", value)


@check
def the_collectors_components_are_defined_and_used():
    config = with_defaults(load("collector.yaml"))
    service = config["service"]
    print(f"     read the pipelines {', '.join(service['pipelines'])}")
    want(set(service["extensions"]) == set(config["extensions"]), "an extension is undefined or unused")
    for kind in ("receivers", "processors", "exporters"):
        named = {name for pipeline in service["pipelines"].values() for name in pipeline[kind]}
        want(named <= set(config[kind]), f"undefined {kind}: {named - set(config[kind])}")
        # A vendor's is there to be named by TRACES_EXPORTERS.
        unused = set(config[kind]) - named - {"otlphttp/vendor"}
        want(not unused, f"unused {kind}: {unused}")
    for name, pipeline in service["pipelines"].items():
        order = pipeline["processors"]
        want(order[0] == "memory_limiter" and order[-1] == "batch", f"{name}: memory_limiter comes first, batch last")


@check
def the_collector_keeps_errors_slow_ones_and_a_share():
    sampling = with_defaults(load("collector.yaml"))["processors"]["tail_sampling"]
    policies = {policy["type"]: policy[policy["type"]] for policy in sampling["policies"]}
    want(policies["status_code"] == {"status_codes": ["ERROR"]}, "not every error is kept")
    want(policies["latency"] == {"threshold_ms": 1000}, "not every slow trace is kept")
    want(policies["probabilistic"] == {"sampling_percentage": 5}, "the share of the rest isn't 5 %")
    print(f"     read {len(policies)} policies")


@check
def the_collectors_variables_have_defaults_and_are_passed():
    text = re.sub(r"^\s*#.*$", "", (STACK / "collector.yaml").read_text(), flags=re.MULTILINE)
    named = {found[1]: found[2] is not None for found in PLACEHOLDER.finditer(text)}
    print(f"     read {', '.join(sorted(named))}")
    want(all(named.values()), f"no default: {[name for name, default in named.items() if not default]}")
    # Where Jaeger and Loki are is the compose file's own business.
    passed = set(compose()["services"]["otel-collector"]["environment"]) | {"JAEGER_OTLP_ENDPOINT", "LOKI_OTLP_ENDPOINT"}
    want(set(named) <= passed, f"compose.yaml doesn't pass {set(named) - passed}")


# Prometheus and Alertmanager.


@check
def prometheus_takes_its_configuration():
    for file, of in (("prometheus.yml", "compose.yaml"), ("postgres.yml", "compose.postgres.yaml"), ("local.yml", "")):
        run("promtool", "check", "config", STACK / "prometheus" / file)
        if of:
            services = compose(of)["services"]
            want(f"--config.file=/etc/prometheus/{file}" in services["prometheus"]["command"], f"{of} has another configuration")
            hosts = set(re.findall(r'"([a-z0-9-]+):\d+"', (STACK / "prometheus" / file).read_text())) - {"localhost"}
            want(hosts and hosts <= set(services), f"{file} looks for {hosts - set(services)}, which isn't in {of}")


@check
def prometheus_takes_the_rules():
    run("promtool", "check", "rules", *sorted(set(RULES.glob("*.yml")) - set(RULES.glob("*_test.yml"))))


@check
def the_rules_do_what_their_tests_say():
    run("promtool", "test", "rules", *sorted(RULES.glob("*_test.yml")))


@check
def each_alert_and_rule_is_missed_when_it_is_broken():
    """Breaks one rule at a time, so that it never has a value and so that it always has one, and wants the tests to fail."""
    count = 0
    for file in ("recording.yml", "alerts.yml"):
        whole = yaml.safe_load((RULES / file).read_text())
        for group, rules in enumerate(whole["groups"]):
            for place, rule in enumerate(rules["rules"]):
                for broken in ("vector(0) > 1", "vector(1)"):
                    changed = copy.deepcopy(whole)
                    changed["groups"][group]["rules"][place] |= {"expr": broken, "for": "0s"} if "alert" in rule else {"expr": broken}
                    name = rule.get("alert") or rule["record"]
                    want(not tests_pass(file, changed), f"no test notices that {name} is {broken}")
                    count += 1
    print(f"     ran promtool test rules on {count} broken rules")


def tests_pass(file, changed):
    with tempfile.TemporaryDirectory() as folder:
        for path in RULES.glob("*.yml"):
            (Path(folder) / path.name).write_text(yaml.safe_dump(changed) if path.name == file else path.read_text())
        try:
            run("promtool", "test", "rules", *sorted(Path(folder).glob("*_test.yml")), quiet=True)
        except Wrong as wrong:
            # A file that can't be read is no test that failed.
            want("FAILED" in str(wrong) and "got:" in str(wrong), f"promtool failed otherwise: {wrong}")
            return False
        return True


@check
def each_alert_says_what_is_wrong_and_what_to_do():
    rules = [rule for group in load("prometheus/rules/alerts.yml")["groups"] for rule in group["rules"]]
    print(f"     read {len(rules)} alerts")
    for rule in rules:
        words = rule["annotations"]
        want(words["summary"] and len(words["description"]) > 80, f"{rule['alert']} doesn't say what to do")
        want(rule["labels"]["severity"] in ("page", "ticket"), f"{rule['alert']} calls nobody")


@check
def alertmanager_takes_its_configuration():
    run("amtool", "check-config", STACK / "alertmanager.yml")


@check
def alertmanager_routes_by_severity():
    for severity in ("page", "ticket"):
        receiver = run("amtool", "config", "routes", "test", f"--config.file={STACK / 'alertmanager.yml'}", f"severity={severity}")
        want(receiver.strip() == severity, f"{severity} goes to {receiver.strip()}")


# Grafana.


@check
def the_dashboards_are_as_dashboards_py_writes_them():
    python("dashboards.py", "--check")


@check
def the_dashboards_have_no_key_that_grafanas_types_lack():
    from dashboards import ANNOTATION_EXTRAS
    from grafana_foundation_sdk.cog import plugins
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

    plugins.register_default_plugins()
    for path in sorted(DASHBOARDS.glob("*.json")):
        written = json.loads(path.read_text())
        for mark in written["annotations"]["list"]:
            for key in ANNOTATION_EXTRAS:
                mark.pop(key)
        read = json.loads(json.dumps(Dashboard.from_json(written), cls=JSONEncoder))
        lost = list(differences(written, read, path.stem))
        want(not lost, "not as it was read: " + ", ".join(lost))
        print(f"     read {path.name} as a Dashboard and wrote it again")


def differences(one, other, where):
    """Yields the places where two JSON values aren't the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from differences(one.get(key), other.get(key), f"{where}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, pair in enumerate(zip(one, other)):
            yield from differences(*pair, f"{where}[{place}]")
    elif one != other:
        yield where


@check
def prometheus_takes_every_query_of_grafana():
    from promql import plain, queries

    asked = [(f"{board}: {title}", expr) for board, title, _, expr in queries()]
    for source in load("grafana/provisioning/datasources/till.yaml")["datasources"]:
        for jump in source["jsonData"].get("tracesToMetrics", {}).get("queries", []):
            asked.append((jump["name"], plain(jump["query"].replace("$$__tags", 'service="orders"'))))
    rules = [{"record": f"panel:{number}", "expr": expr, "labels": {"panel": name}} for number, (name, expr) in enumerate(asked)]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}, file)
        file.flush()
        run("promtool", "check", "rules", file.name)
    print(f"     {len(asked)} queries")


@check
def what_grafana_refers_to_is_there():
    provisioned = load("grafana/provisioning/datasources/till.yaml")
    known = {source["uid"] for source in provisioned["datasources"]}
    services = set(compose()["services"])
    for source in provisioned["datasources"]:
        host = re.match(r"http://([a-z-]+):\d+$", source["url"])
        want(host and host[1] in services, f"{source['name']} is at {source['url']}, which isn't in the compose file")
    for path in DASHBOARDS.glob("*.json"):
        for uid in re.findall(r'"datasource": {\s*"type": "\w+",\s*"uid": "([^"]+)"', path.read_text()):
            want(uid in known, f"{path.name} asks a data source {uid}")
    for uid in re.findall(r"datasourceUid: (\w+)", (STACK / "grafana/provisioning/datasources/till.yaml").read_text()):
        want(uid in known, f"a jump leads to a data source {uid}")
    print(f"     read {', '.join(sorted(known))}")


# What a metric's name in Prometheus has more than the instrument's in the host's sources.
SUFFIXES = re.compile(r"(_seconds|_bytes)?(_total|_bucket|_count|_sum)?$")


@check
def every_metric_asked_for_is_in_the_hosts_sources():
    from promql import queries

    rules = [rule for file in ("recording.yml", "alerts.yml") for group in load(RULES / file)["groups"] for rule in group["rules"]]
    asked = [expr for _, _, _, expr in queries()] + [rule["expr"] for rule in rules]
    metrics = set(re.findall(r"\b(?:http|order|plugin|stock|store|telemetry)_\w+", " ".join(map(without_labels, asked))))
    sources = "".join(path.read_text() for path in (PROJECT / "host" / "src").rglob("*.rs"))
    instruments = {text.replace(".", "_") for text in re.findall(r'"([a-z][a-z_.]+)"', sources)}
    unknown = {metric for metric in metrics if SUFFIXES.sub("", metric) not in instruments}
    want(metrics and not unknown, f"the host has no {', '.join(sorted(unknown))}")
    print(f"     looked for {len(metrics)} metrics")


def without_labels(expr):
    """A query without what stands in braces or names labels: what is left of words are metrics and functions."""
    return re.sub(r"\{[^}]*}|\b(by|on|group_left) \([^)]*\)", "", expr)


# Kubernetes.


KUSTOMIZE = ("kubernetes", "kubernetes-postgres")


def rendered(folder):
    return run("kubectl", "kustomize", STACK / folder)


def manifests(folder):
    return list(yaml.safe_load_all(rendered(folder)))


def of_kind(of, kind):
    return [manifest for manifest in of if manifest["kind"] == kind]


@check
def kubernetes_takes_the_manifests():
    for folder in KUSTOMIZE:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(rendered(folder))
            file.flush()
            run("kubernetes-validate", "--strict", "--quiet", "--no-warn", file.name)


@check
def the_prometheus_operator_takes_its_manifests():
    from cloudcoil.models.prometheus_operator import v1

    # Both folders have them from kubernetes/common.
    for manifest in manifests("kubernetes-postgres"):
        if manifest["apiVersion"] == "monitoring.coreos.com/v1":
            read = getattr(v1, manifest["kind"]).model_validate(manifest)
            again = json.loads(read.model_dump_json(by_alias=True, exclude_unset=True))
            lost = list(differences(manifest, again, manifest["kind"]))
            want(not lost, "not as it was read: " + ", ".join(lost))
            print(f"     read the {manifest['kind']} with the operator's types of 0.80.1")


@check
def the_operators_rules_are_prometheus_rules():
    python("rules.py", "--check")


@check
def pods_have_no_rights_and_no_secret_is_in_the_project():
    for folder, kind, count in (("kubernetes", "StatefulSet", 2), ("kubernetes-postgres", "Deployment", 1)):
        of = manifests(folder)
        want(not of_kind(of, "Secret"), f"a Secret is in {folder}")
        pods = [manifest for manifest in of if "template" in manifest.get("spec", {})]
        want([pod["kind"] for pod in pods] == [kind] * count, f"{folder} runs {[pod['kind'] for pod in pods]}")
        for till in pods:
            name, pod = till["metadata"]["name"], till["spec"]["template"]["spec"]
            want(pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"], f"{name} may be root")
            for container in pod["initContainers"] + pod["containers"]:
                rights = container["securityContext"]
                want(rights["readOnlyRootFilesystem"] and rights["capabilities"] == {"drop": ["ALL"]}, f"{name} has rights")
                want(container["image"] == f"till:{version()}", f"{name} runs {container['image']}, not {version()}")


@check
def a_till_with_a_file_is_alone():
    for till in of_kind(manifests("kubernetes"), "StatefulSet"):
        want(till["spec"]["replicas"] == 1, f"{till['metadata']['name']} has more than one replica: two stores")


@check
def one_of_the_hosts_on_one_database_may_die():
    of = manifests("kubernetes-postgres")
    (hosts,), (budget,) = of_kind(of, "Deployment"), of_kind(of, "PodDisruptionBudget")
    spec, pod = hosts["spec"], hosts["spec"]["template"]["spec"]
    labels = spec["template"]["metadata"]["labels"]

    def selects(selector):
        return selector and selector.items() <= labels.items()

    want(spec["replicas"] >= 3, "with fewer than three hosts one does all the work while another is replaced")
    rolling = spec["strategy"]["rollingUpdate"]
    want(spec["strategy"]["type"] == "RollingUpdate" and rolling["maxUnavailable"] == 0, "an update takes hosts away first")
    want(budget["spec"]["maxUnavailable"] == 1, "a drain may take several hosts at once")
    want(selects(budget["spec"]["selector"]["matchLabels"]), "the budget is another deployment's")
    spread = {rule["topologyKey"]: rule for rule in pod["topologySpreadConstraints"]}
    want(spread["kubernetes.io/hostname"]["whenUnsatisfiable"] == "DoNotSchedule", "one node may take all hosts with it")
    want(all(selects(rule["labelSelector"]["matchLabels"]) for rule in spread.values()), "other pods are spread")
    (service,) = of_kind(of, "Service")
    want(selects(service["spec"]["selector"]), "the Service has no pods")
    (till,), (migrate,) = pod["containers"], pod["initContainers"]
    want(till["readinessProbe"]["httpGet"]["path"] == "/readyz", "who isn't ready gets requests")
    want(till["livenessProbe"]["httpGet"]["path"] == "/livez", "hosts are restarted because the database is away")
    want(migrate["args"] == ["store", "migrate"], "nothing makes the schema")
    stopping = int(till["lifecycle"]["preStop"]["exec"]["command"][1]) + 10 + 5
    want(pod["terminationGracePeriodSeconds"] > stopping, f"a host is killed before it has stopped, after {stopping} s")
    store = [variable for variable in till["env"] if variable["name"].startswith("TILL_STORE_")]
    want(store == migrate["env"], "hosts and migrate have other settings of the store")
    secret = {variable["name"]: variable["valueFrom"]["secretKeyRef"] for variable in store if "valueFrom" in variable}
    want(secret == {"TILL_STORE_URL": {"name": "till-database", "key": "url"}}, f"the Secret is read for {secret}")
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    kept = [name for name, volume in volumes.items() if not volume.keys() & {"emptyDir", "configMap", "secret"}]
    want(not kept, f"hosts share, or keep, {kept}")
    files = {f"/database/{item['path']}" for item in volumes["database"]["secret"]["items"]}
    read = {variable["value"] for variable in store if variable["name"].endswith("_FILE")}
    want(volumes["database"]["secret"]["secretName"] == "till-database" and files == read, f"mounted are {files}, read are {read}")
    for container in (till, migrate):
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        want(mounted.get("database") == "/database", f"{container['name']} has no password")
    allowed = [policy for policy in of_kind(of, "NetworkPolicy") if policy["metadata"]["name"] == "orders-to-database"]
    want(allowed and selects(allowed[0]["spec"]["podSelector"]["matchLabels"]), "no policy lets the hosts reach the database")
    print(f"     read the Deployment of {spec['replicas']}, its budget and its policies")


def main():
    chosen = [function for function in CHECKS if not sys.argv[1:] or function.__name__ in sys.argv[1:]]
    failed = 0
    for function in chosen:
        try:
            function()
            print(f"ok   {function.__name__}")
        except Exception as error:  # What a tool or a type stumbles over is a failed check, whatever it is.
            failed += 1
            print(f"FAIL {function.__name__}: {error if isinstance(error, Wrong) else repr(error)}")
    print(f"{len(chosen) - failed} passed, {failed} failed")
    # A name that isn't one has checked nothing.
    sys.exit(bool(failed) or not chosen)


if __name__ == "__main__":
    main()
