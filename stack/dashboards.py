#!/usr/bin/env python3
"""Writes Grafana's dashboards as JSON: what is in this file is easier to read and to change than what Grafana exports.

    dashboards.py           writes grafana/dashboards/*.json
    dashboards.py --check   changes nothing, and ends with 1 if one of them is stale

A panel that stays empty until something happens says so: its description begins with "Empty until". One that only hosts
on PostgreSQL fill begins with "Empty without PostgreSQL". panels.py takes it from there.
"""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, heatmap, logs, loki, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmap_models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

FOLDER = Path(__file__).parent / "grafana" / "dashboards"

METRICS = models.DataSourceRef(type_val="prometheus", uid="prometheus")
LOGS = models.DataSourceRef(type_val="loki", uid="loki")

CHECKOUT = 'service=~"$service",http_route="/checkout",http_request_method="POST"'
SERVICE = 'service=~"$service"'

# What Grafana's Prometheus data source reads of an annotation, and the SDK's type doesn't have.
ANNOTATION_EXTRAS = ("titleFormat", "tagKeys")


# What a panel is made of.


def query(expr, legend="", exemplars=False, instant=False):
    """A query; with `exemplars` its panel shows the traces behind the numbers as diamonds."""
    target = prometheus.Dataquery().expr(expr).legend_format(legend or "__auto").exemplar(exemplars)
    return target.instant() if instant else target


def with_queries(panel, title, description, width, height, queries):
    panel = panel.title(title).description(description).datasource(METRICS).span(width).height(height)
    for number, target in enumerate(queries):
        panel = panel.with_target(target.ref_id(chr(ord("A") + number)))
    return panel


def number(title, expr, unit, description="", red_from=None, green_from=None, decimals=None):
    """One number, red from `red_from` on, or until `green_from`."""
    steps = [models.Threshold(value=None, color="red" if green_from is not None else "green")]
    if red_from is not None:
        steps.append(models.Threshold(value=red_from, color="red"))
    if green_from is not None:
        steps.append(models.Threshold(value=green_from, color="green"))
    thresholds = dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
    panel = with_queries(stat.Panel(), title, description, 4, 4, [query(expr)])
    panel = panel.unit(unit).thresholds(thresholds).graph_mode(common_models.BigValueGraphMode.AREA)
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.decimals(decimals) if decimals is not None else panel


def lines(title, unit, queries, description="", width=12, stacked=False, low=0):
    """Lines over time, with a table of their last values below."""
    legend = common.VizLegendOptions().display_mode(common_models.LegendDisplayMode.TABLE).show_legend(True)
    legend = legend.placement(common_models.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])
    tooltip = common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI).sort(common_models.SortOrder.DESCENDING)
    panel = with_queries(timeseries.Panel(), title, description, width, 8, queries)
    panel = panel.unit(unit).min(low).legend(legend).tooltip(tooltip).fill_opacity(30 if stacked else 8)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    return panel


def spread(title, unit, expr, description="", width=12):
    """How many fell into which bucket, over time."""
    colours = heatmap.HeatmapColorOptions().mode(heatmap_models.HeatmapColorMode.SCHEME).scheme("Turbo").steps(64)
    target = query(expr, "{{le}}", exemplars=True).format(PromQueryFormat.HEATMAP)
    panel = with_queries(heatmap.Panel(), title, description, width, 8, [target])
    return panel.color(colours).y_axis(heatmap.YAxisConfig().unit(unit))


def rows(title, expr, description="", width=24):
    """What a query says at this moment, a row a series."""
    target = query(expr, instant=True).format(PromQueryFormat.TABLE)
    panel = with_queries(table.Panel(), title, description, width, 6, [target])
    hidden = {"Time": True, "Value": True}
    return panel.with_transformation(models.DataTransformerConfig(id_val="organize", options={"excludeByName": hidden}))


def log_lines(title, expr, description=""):
    panel = logs.Panel().title(title).description(description).datasource(LOGS).span(24).height(8)
    return panel.show_time(True).wrap_log_message(True).enable_log_details(True).with_target(loki.Dataquery().expr(expr))


def board(uid, title, description, *parts):
    """A dashboard of rows, each a title and its panels; ids and places follow from their order."""
    every = models.VariableOption(selected=True, text="All", value="$__all")
    service = dashboard.QueryVariable("service").label("Service").datasource(METRICS).multi(True).include_all(True)
    service = service.query('label_values(up{job="till"}, service)').refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    service = service.sort(models.VariableSort.ALPHABETICAL_ASC).current(every)
    others = dashboard.DashboardLink("Till").type(models.DashboardLinkType.DASHBOARDS).tags(["till"])
    built = (
        dashboard.Dashboard(title).uid(uid).description(description).tags(["till"]).readonly()
        .time("now-30m", "now").refresh("10s").timezone("browser").tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(service).link(others.include_vars(True).keep_time(True)).annotation(versions())
    )
    for title, *panels in parts:
        built = built.with_row(dashboard.Row(title))
        for panel in panels:
            built = built.with_panel(panel)
    as_json = json.loads(json.dumps(built.build(), cls=JSONEncoder))
    for count, panel in enumerate(as_json["panels"], 1):
        panel["id"] = count
    as_json["annotations"]["list"][0] |= {"titleFormat": "{{kind}} plugin, {{rollout}}: {{plugin}} {{version}}", "tagKeys": "service,digest"}
    return as_json


def versions():
    """A mark where a version of a plugin came: for a minute it is there, and wasn't a minute before."""
    loaded = f"max by (service, kind, rollout, plugin, version, digest) (plugin_info{{{SERVICE}}}"
    expr = f"{loaded}) unless {loaded} offset 1m)"
    return dashboard.AnnotationQuery().name("Plugin versions").datasource(METRICS).enable(True).icon_color("purple").expr(expr)


def quantile(share, metric, selector, by):
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{{{selector}}}[$__rate_interval])))"


# The dashboards.


def shop():
    requests = "http_server_request_duration_seconds"
    revenue = f'{{__name__=~"order_revenue_[A-Z]{{3}}_total",{SERVICE}}}'
    return board(
        "till-shop", "Till: shop", "What the shop sells, how fast it answers, and what goes wrong.",
        (
            "At a glance",
            number("Checkouts", f"sum(rate({requests}_count{{{CHECKOUT}}}[$__rate_interval]))", "reqps"),
            number("Revenue a minute", f"60 * sum(rate({revenue}[$__rate_interval]))", "short", "In the shop's currency.", decimals=2),
            number("Errors", f"max(service:checkout_errors:ratio_rate5m{{{SERVICE}}})", "percentunit",
                   "Answered with 5xx, of the last 5 minutes. Red where the alert CheckoutErrors begins.", red_from=0.05, decimals=1),
            number("Within 1 s", f"1 - max(service:checkouts_slow:ratio_rate30m{{{SERVICE}}})", "percentunit",
                   "Of the last 30 minutes. The objective is 99 %.", green_from=0.99, decimals=1),
            number("p99", quantile(0.99, requests, CHECKOUT, "http_route"), "s", "Of checkouts.", red_from=1),
            number("Scarcest item", f"min(stock_on_hand{{{SERVICE}}})", "short", "Pieces. Red below the alert StockLow.", green_from=20),
        ),
        (
            "Orders",
            lines("Checkouts by item", "reqps", [query(f"sum by (item) (rate(order_checkouts_total{{{SERVICE}}}[$__rate_interval]))", "{{item}}")],
                  "Asked for, whatever came of them. An item that the store doesn't know is `other`, a cart of several `multiple`.", stacked=True),
            lines("Revenue by item", "short", [query(f"60 * sum by (item) (rate({revenue}[$__rate_interval]))", "{{item}}")],
                  "A minute, in the shop's currency.", stacked=True),
            lines("Failed checkouts by reason", "reqps",
                  [query(f"sum by (item, reason) (rate(order_checkout_errors_total{{{SERVICE}}}[$__rate_interval]))", "{{item}}: {{reason}}")],
                  "Empty until one fails. The reason is the `code` of the answer; a trace's red span says more.", stacked=True),
            lines("Stock", "short", [query(f"min by (service, item) (stock_on_hand{{{SERVICE}}})", "{{item}} at {{service}}")],
                  "The scarcest items, at most 50."),
        ),
        (
            "Answers",
            lines("Latency by route", "s",
                  [query(quantile(0.5, requests, SERVICE, "http_route"), "{{http_route}} p50"),
                   query(quantile(0.99, requests, SERVICE, "http_route"), "{{http_route}} p99", exemplars=True)],
                  "Each diamond is a request; a click on it leads to its trace."),
            spread("Checkouts by duration", "s", f"sum by (le) (increase({requests}_bucket{{{CHECKOUT}}}[$__rate_interval]))",
                   "The demo's slow smartphones are the band of 1 to 2.5 s."),
            lines("Share of errors", "percentunit",
                  [query(f"service:checkout_errors:ratio_rate5m{{{SERVICE}}}", "{{service}}: 5xx"),
                   query(f"service:checkouts_slow:ratio_rate5m{{{SERVICE}}}", "{{service}}: over 1 s")],
                  "Of checkouts, over 5 minutes. What the alerts CheckoutErrors and CheckoutsSlow look at."),
            lines("Answers by status", "reqps",
                  [query(f"sum by (http_route, http_response_status_code) (rate({requests}_count{{{SERVICE}}}[$__rate_interval]))",
                         "{{http_route}} {{http_response_status_code}}")], stacked=True),
        ),
        (
            "Log",
            log_lines("Warnings and errors", '{service_name=~"$service"} | detected_level=~"warn|error|fatal"',
                      "A line with a trace_id leads to its trace."),
        ),
    )


def plugins():
    calls = "plugin_call_duration_seconds"
    instance = "service, instance, kind, rollout"
    loaded = f"max by ({instance}, plugin, version, digest) (plugin_info{{{SERVICE}}})"
    by_version = (
        f"sum by ({instance}) (rate({calls}_count{{{SERVICE}}}[$__rate_interval]))"
        f" * on ({instance}) group_left (plugin, version, digest) {loaded}"
    )
    faults = 'outcome=~"trap|deadline|memory|host_calls|bad_output"'
    return board(
        "till-plugins", "Till: plugins", "Which versions are called, what they decide, what they cost, and how a new one does.",
        (
            "Versions",
            rows("Loaded", f"max by (service, kind, rollout, plugin, version, digest) (plugin_info{{{SERVICE}}})",
                 "As what each is called: live, canary or shadow."),
            lines("Calls by version", "reqps", [query(by_version, "{{kind}} {{plugin}} {{version}} {{digest}}, {{rollout}}")], stacked=True),
            lines("Changes", "short", [query(f"sum by (kind, result) (plugin_swaps_total{{{SERVICE}}})", "{{kind}}: {{result}}")],
                  "Empty until a plugin is changed. Attempts, by what came of them."),
        ),
        (
            "Decisions",
            lines("Outcomes", "reqps",
                  [query(f"sum by (kind, rollout, outcome) (rate({calls}_count{{{SERVICE}}}[$__rate_interval]))", "{{kind}}, {{rollout}}: {{outcome}}")],
                  "A plugin's \"no\" (rejected, insufficient_stock) is an outcome like another.", stacked=True),
            lines("Share of faults", "percentunit",
                  [query(f"(sum by (kind, rollout) (rate({calls}_count{{{SERVICE},{faults}}}[$__rate_interval])) or 0 * sum by (kind, rollout) (rate({calls}_count{{{SERVICE}}}[$__rate_interval])))"
                         f" / (sum by (kind, rollout) (rate({calls}_count{{{SERVICE}}}[$__rate_interval])) > 0)", "{{kind}}, {{rollout}}")],
                  "Traps, limits, deadlines and bad output. Compare a canary with the live version here."),
            lines("Breakers", "short",
                  [query(f"max by (service, kind) (plugin_breaker_open{{{SERVICE}}})", "{{kind}} at {{service}}")],
                  "1: open, and checkouts get 503 breaker_open."),
            lines("Shadow's differences", "reqps",
                  [query(f"sum by (kind, part) (rate(plugin_shadow_differences_total{{{SERVICE}}}[$__rate_interval]))", "{{kind}}: {{part}}")],
                  "Empty until a shadow decides otherwise than the live version. till plugin rollout differences has the cases."),
        ),
        (
            "Cost",
            lines("Duration of calls", "s",
                  [query(quantile(0.5, calls, SERVICE, "kind, rollout"), "{{kind}}, {{rollout}} p50"),
                   query(quantile(0.99, calls, SERVICE, "kind, rollout"), "{{kind}}, {{rollout}} p99", exemplars=True)],
                  "Host calls included. A checkout's contains its inventory's. Each diamond leads to a trace."),
            spread("Inventory calls by duration", "s",
                   f'sum by (le) (increase({calls}_bucket{{{SERVICE},kind="inventory"}}[$__rate_interval]))',
                   "Two bands far from each other are two things that happen."),
            lines("Memory of a call", "bytes", [query(quantile(0.99, "plugin_memory_bytes", SERVICE, "kind"), "{{kind}} p99")],
                  "The most linear memory of a call. limits.guest_memory_mib is where it ends."),
            lines("Memory of all calls", "bytes",
                  [query(f"sum by (service) (plugin_memory_used_bytes{{{SERVICE}}})", "{{service}}"),
                   query(f"sum by (service) (plugin_memory_kept_bytes{{{SERVICE}}})", "{{service}}, kept for the next calls")],
                  "At this moment. limits.guests_memory_mib is where calls are refused; what is kept beyond "
                  "limits.resting_memory_mib is given back after a while."),
            lines("Fuel of a call", "short", [query(quantile(0.99, "plugin_fuel", SERVICE, "kind"), "{{kind}} p99")],
                  "Empty until fuel is counted. Instructions, about; the same on every machine."),
            lines("Breakers that opened", "short",
                  [query(f"sum by (service, kind) (increase(plugin_breaker_openings_total{{{SERVICE}}}[$__rate_interval]))", "{{kind}} at {{service}}")],
                  "Empty until one opens."),
        ),
    )


def host():
    return board(
        "till-host", "Till: host", "The order store, telemetry's own losses, and what is kept in memory.",
        (
            "Store",
            lines("Commands waiting", "short", [query(f"max by (service) (store_queued{{{SERVICE}}})", "{{service}}")],
                  "For the one writer. At store.queue_commands_max requests are shed with 503."),
            lines("Commands in a commit", "short",
                  [query(f"sum by (service) (rate(store_commands_total{{{SERVICE}}}[$__rate_interval])) / (sum by (service) (rate(store_commits_total{{{SERVICE}}}[$__rate_interval])) > 0)", "{{service}}")],
                  "How many share an fsync. It grows with the load, which is how the store keeps up."),
            lines("Commits", "ops",
                  [query(f"sum by (service) (rate(store_commits_total{{{SERVICE}}}[$__rate_interval]))", "{{service}}: committed"),
                   query(f"sum by (service) (rate(store_batches_failed_total{{{SERVICE}}}[$__rate_interval]))", "{{service}}: rolled back")]),
            lines("Write-ahead log", "bytes", [query(f"max by (service) (store_wal_bytes{{{SERVICE}}})", "{{service}}")],
                  "Cut to 64 MiB when it is used anew. If it only grows, a reader holds it."),
            lines("Orders without an end", "short",
                  [query(f"max by (service) (store_orders_unresolved{{{SERVICE}}})", "{{service}}: under way"),
                   query(f"max by (service) (store_orders_awaiting_release{{{SERVICE}}})", "{{service}}: wait for a release")],
                  "Those that wait for a release can't be sold to others meanwhile."),
            lines("Up", "short", [query(f'up{{job="till",{SERVICE}}}', "{{service}} {{instance}}")], "Whether /metrics answered."),
        ),
        (
            "Hosts on one database",
            lines("Hosts", "short", [query(f"service:store_hosts:max{{{SERVICE}}}", "{{service}}")],
                  "Empty without PostgreSQL. Those with a lease: till hosts list names them. The alert HostGone looks at it."),
            lines("Since the last beat", "s", [query(f"max by (service, instance) (store_lease_age_seconds{{{SERVICE}}})", "{{service}} {{instance}}")],
                  "Empty without PostgreSQL. Since the database last answered. Below 1 s as a rule; after 10 s the host takes no checkouts."),
        ),
        (
            "Traces on their way out",
            lines("Spans lost", "short",
                  [query(f"sum by (service, reason) (rate(telemetry_spans_lost_total{{{SERVICE}}}[$__rate_interval]))", "{{service}}: {{reason}}")],
                  "A second. The shop isn't touched, traces miss."),
            lines("Traces decided on", "short",
                  [query(f"sum by (service, decision) (rate(telemetry_traces_sampled_total{{{SERVICE}}}[$__rate_interval]))", "{{service}}: {{decision}}")],
                  "Empty until the host samples by itself. A second, by what became of them.", stacked=True),
            lines("Spans held", "short", [query(f"max by (service) (telemetry_spans_held{{{SERVICE}}})", "{{service}}")],
                  "Empty until the host samples by itself. What waits for its trace's end."),
        ),
        (
            "Recent traces in memory",
            lines("Recent traces", "short", [query(f"max by (service) (telemetry_traces_kept{{{SERVICE}}})", "{{service}}")],
                  "What the trace page on the admin listener can show."),
            lines("Their memory", "bytes", [query(f"max by (service) (telemetry_traces_memory_bytes{{{SERVICE}}})", "{{service}}")],
                  "traces.kept_mib is where old ones go."),
            lines("Evicted", "short", [query(f"sum by (service) (rate(telemetry_traces_evicted_total{{{SERVICE}}}[$__rate_interval]))", "{{service}}")],
                  "A second. Those with an error and slow ones go last."),
        ),
    )


def main():
    stale = []
    for name, as_json in (("shop", shop()), ("plugins", plugins()), ("host", host())):
        path, text = FOLDER / f"{name}.json", json.dumps(as_json, indent=2) + "\n"
        if path.exists() and path.read_text() == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv:
            path.write_text(text)
    if "--check" in sys.argv and stale:
        sys.exit(f"stale, run dashboards.py: {', '.join(stale)}")
    print(f"{len(stale)} written" if stale else "all up to date")


if __name__ == "__main__":
    main()
