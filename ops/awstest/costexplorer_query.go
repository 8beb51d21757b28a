package awstest

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"
)

// costExplorerService is AWS Cost Explorer, as far as costs by month or day, account and service go. It is global: whatever
// Region a call is signed for, policies see us-east-1.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscostexplorerservice.html
// https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Operations_AWS_Cost_Explorer_Service.html
func costExplorerService() *service {
	get := jsonCall("GetCostAndUsage",
		func(r *request, _ *costInput) []string {
			return []string{"arn:aws:ce:us-east-1:" + r.who.account + ":/GetCostAndUsage"}
		}, getCostAndUsage)
	get.keys = func(*request, any) conditionKeys { return conditionKeys{"aws:requestedregion": {"us-east-1"}} }
	return &service{
		name:   "ce",
		wire:   jsonWire("Message"),
		action: targetAction("AWSInsightsIndexService"),
		calls:  map[string]call{"GetCostAndUsage": get},
	}
}

type costInput struct {
	TimePeriod    *struct{ Start, End string }
	Granularity   string
	Metrics       []string
	GroupBy       []costGroup `json:",omitempty"`
	Filter        *costFilter `json:",omitempty"`
	NextPageToken *string     `json:",omitempty"`
}

type costGroup struct{ Type, Key string }

// costPeriod is one result: from the day it starts to the day before it ends.
type costPeriod struct{ start, end time.Time }

// costRow is a group of a period; without a key it is the period's total, or stands for a period without groups.
type costRow struct {
	period costPeriod
	keys   []string
	amount *big.Rat
}

// getCostAndUsage adds costs up.
// https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_GetCostAndUsage.html
func getCostAndUsage(r *request, in *costInput) (any, error) {
	e := r.cloud.costExplorer()
	if e.off {
		return nil, fail(400, "AccessDeniedException", "User not enabled for cost explorer access")
	}
	periods, err := in.periods(e)
	if err == nil {
		err = in.check(r)
	}
	if err != nil {
		return nil, err
	}
	if e.empty {
		return nil, fail(400, "DataUnavailableException",
			"Data is not available. Please try to adjust the time period. If just enabled Cost Explorer, data might not be ingested yet")
	}
	var rows []costRow
	for _, p := range periods {
		rows = append(rows, e.rows(r, in, p)...)
	}
	from, query, err := in.at(r)
	if err != nil {
		return nil, err
	}
	size := 1000 // AWS tells nobody how many
	if r.cloud.pageSize > 0 {
		size = r.cloud.pageSize
	}
	from = min(from, len(rows))
	to := min(from+size, len(rows))
	out := answer{"ResultsByTime": e.results(in, rows[from:to]), "DimensionValueAttributes": in.attributes(r, rows[from:to])}
	if len(in.GroupBy) > 0 {
		out["GroupDefinitions"] = in.GroupBy
	}
	if to < len(rows) {
		raw, _ := json.Marshal(costToken{to, query})
		out["NextPageToken"] = base64.StdEncoding.EncodeToString(raw)
	}
	return out, nil
}

// costToken is where the next page begins and which query it belongs to.
type costToken struct {
	From  int
	Query string
}

// at reads the token; all other parameters must be those of the first page.
func (in *costInput) at(r *request) (from int, query string, err error) {
	same := *in
	same.NextPageToken = nil
	text, _ := json.Marshal(same)
	query = hexSum(append(text, r.who.account...))[:16]
	if in.NextPageToken == nil {
		return 0, query, nil
	}
	var given costToken
	raw, err := base64.StdEncoding.DecodeString(*in.NextPageToken)
	if err == nil {
		err = json.Unmarshal(raw, &given)
	}
	switch {
	case err != nil || given.From < 1:
		return 0, "", fail(400, "InvalidNextTokenException", "The pagination token is invalid. Try again without a pagination token.")
	case given.Query != query:
		return 0, "", fail(400, "RequestChangedException",
			"Your request parameters changed between pages. Try again with the old parameters or without a pagination token.")
	}
	return given.From, query, nil
}

// rows are the groups of a period in the order of their keys.
func (e *CostExplorer) rows(r *request, in *costInput, p costPeriod) []costRow {
	groups := map[string]*costRow{}
	for key, cost := range e.costs {
		if !r.sees(key.account) || in.Filter != nil && !in.Filter.holds(key) {
			continue
		}
		part := e.share(key.month, p)
		if part.Sign() == 0 {
			continue
		}
		var keys []string
		for _, g := range in.GroupBy {
			keys = append(keys, key.dimension(g.Key))
		}
		name := strings.Join(keys, "\x00")
		if groups[name] == nil {
			groups[name] = &costRow{p, keys, new(big.Rat)}
		}
		groups[name].amount.Add(groups[name].amount, part.Mul(part, cost))
	}
	if len(groups) == 0 {
		return []costRow{{period: p, amount: new(big.Rat)}}
	}
	var rows []costRow
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		rows = append(rows, *groups[name])
	}
	return rows
}

// sees tells whether the caller sees the costs of an account.
func (r *request) sees(account string) bool {
	o := r.cloud.organization
	return account == r.who.account || o != nil && r.who.account == o.management
}

// dimension is the value of one of the dimensions that awstest has.
func (k costKey) dimension(name string) string {
	if name == "SERVICE" {
		return k.service
	}
	return k.account
}

// results are rows as the API shows them: those of a period together.
func (e *CostExplorer) results(in *costInput, rows []costRow) []answer {
	all := []answer{}
	thisMonth := monthOf(e.today())
	for i, row := range rows {
		if i == 0 || row.period != rows[i-1].period {
			all = append(all, answer{
				"TimePeriod": answer{"Start": row.period.start.Format(costDay), "End": row.period.end.Format(costDay)},
				"Total":      answer{}, "Groups": []answer{}, "Estimated": row.period.end.After(thisMonth),
			})
		}
		metrics := answer{}
		for _, m := range in.Metrics {
			metrics[m] = answer{"Amount": decimal(row.amount), "Unit": "USD"}
		}
		last := all[len(all)-1]
		switch {
		case len(in.GroupBy) == 0:
			last["Total"] = metrics
		case row.keys != nil:
			last["Groups"] = append(last["Groups"].([]answer), answer{"Keys": row.keys, "Metrics": metrics})
		}
	}
	return all
}

// decimal writes an amount with as many digits after the point as Cost Explorer has.
func decimal(amount *big.Rat) string {
	return strings.TrimSuffix(strings.TrimRight(amount.FloatString(10), "0"), ".")
}

// attributes are the names of the accounts in rows.
func (in *costInput) attributes(r *request, rows []costRow) []answer {
	all := []answer{}
	at := slices.IndexFunc(in.GroupBy, func(g costGroup) bool { return g.Key == "LINKED_ACCOUNT" })
	if at < 0 {
		return all
	}
	seen := map[string]bool{}
	for _, row := range rows {
		if row.keys == nil || seen[row.keys[at]] {
			continue
		}
		id := row.keys[at]
		seen[id] = true
		attributes := answer{}
		if o := r.cloud.organization; o != nil && o.account(id) != nil {
			attributes["description"] = o.account(id).name
		}
		all = append(all, answer{"Value": id, "Attributes": attributes})
	}
	return all
}
