package awstest

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// costMetrics are what can be asked for; awstest has those that are costs.
var costMetrics = []string{"AmortizedCost", "BlendedCost", "NetAmortizedCost", "NetUnblendedCost", "UnblendedCost"}

// historyMonths is how far Cost Explorer looks back unless somebody pays for more.
const historyMonths = 14

// periods are the results that the parameters ask for.
func (in *costInput) periods(e *CostExplorer) ([]costPeriod, error) {
	if in.TimePeriod == nil {
		return nil, invalid("1 validation error detected: Value null at 'timePeriod' failed to satisfy constraint: Member must not be null")
	}
	start, err := time.Parse(costDay, in.TimePeriod.Start)
	if err != nil {
		return nil, invalid("Start time %s is invalid. Valid format is: yyyy-MM-dd.", in.TimePeriod.Start)
	}
	end, err := time.Parse(costDay, in.TimePeriod.End)
	if err != nil {
		return nil, invalid("End time %s is invalid. Valid format is: yyyy-MM-dd.", in.TimePeriod.End)
	}
	today := e.today()
	switch {
	case !start.Before(end):
		return nil, invalid("Start date (and hour) should be before end date (and hour)")
	case end.After(monthOf(today).AddDate(0, 1, 0)):
		return nil, invalid("end date past the beginning of next month")
	case start.After(today):
		return nil, invalid("start date should be equal to or no later than the current date")
	case start.Before(today.AddDate(0, -historyMonths, 0)):
		return nil, invalid("You haven't enabled historical data beyond 14 months.")
	}
	var all []costPeriod
	for start.Before(end) {
		next := start.AddDate(0, 0, 1)
		if in.Granularity == "MONTHLY" {
			next = monthOf(start).AddDate(0, 1, 0)
		}
		if next.After(end) {
			next = end
		}
		all = append(all, costPeriod{start, next})
		start = next
	}
	return all, nil
}

// check holds the parameters to the rules of the API, and to what awstest has.
func (in *costInput) check(r *request) error {
	switch in.Granularity {
	case "MONTHLY", "DAILY":
	case "HOURLY":
		return in.unknown(r, "the granularity HOURLY")
	default:
		return invalid("%s", constraint("granularity", in.Granularity, "satisfy enum value set: [DAILY, HOURLY, MONTHLY]"))
	}
	if len(in.Metrics) == 0 {
		return invalid("At least one metric must be specified")
	}
	for _, m := range in.Metrics {
		switch {
		case m == "UsageQuantity" || m == "NormalizedUsageAmount":
			return in.unknown(r, "the metric "+m)
		case !slices.Contains(costMetrics, m):
			return invalid("Invalid metric: %s", m)
		}
	}
	if len(in.GroupBy) > 2 {
		return invalid("%s", constraint("groupBy", strconv.Itoa(len(in.GroupBy)), "have length less than or equal to 2"))
	}
	for _, g := range in.GroupBy {
		switch {
		case g.Type == "TAG" || g.Type == "COST_CATEGORY":
			return in.unknown(r, "groups of the type "+g.Type)
		case g.Type != "DIMENSION":
			return invalid("%s", constraint("groupBy.type", g.Type, "satisfy enum value set: [DIMENSION, TAG, COST_CATEGORY]"))
		case !hasDimension(g.Key):
			return in.unknown(r, "groups by "+g.Key)
		}
	}
	if len(in.GroupBy) == 2 && in.GroupBy[0] == in.GroupBy[1] {
		return invalid("Group definitions must be unique")
	}
	if in.Filter != nil {
		return in.Filter.check(r, in)
	}
	return nil
}

// unknown refuses what Cost Explorer may well have, but awstest doesn't.
func (in *costInput) unknown(r *request, what string) error {
	r.cloud.problem("%s: %s, which awstest doesn't have", r.name(), what)
	return invalid("awstest doesn't have %s", what)
}

func hasDimension(name string) bool { return name == "SERVICE" || name == "LINKED_ACCOUNT" }

// costFilter is an expression; it has one member.
// https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Expression.html
type costFilter struct {
	And            []costFilter    `json:",omitempty"`
	Or             []costFilter    `json:",omitempty"`
	Not            *costFilter     `json:",omitempty"`
	Dimensions     *costDimension  `json:",omitempty"`
	Tags           json.RawMessage `json:",omitempty"`
	CostCategories json.RawMessage `json:",omitempty"`
}

type costDimension struct {
	Key                  string
	Values, MatchOptions []string
}

func (f *costFilter) check(r *request, in *costInput) error {
	roots := 0
	for _, there := range []bool{f.And != nil, f.Or != nil, f.Not != nil, f.Dimensions != nil, f.Tags != nil, f.CostCategories != nil} {
		if there {
			roots++
		}
	}
	const operators = "And, Or, Not, Dimensions, Tags, CostCategories"
	switch {
	case roots == 0:
		return invalid("Expression must have at least one root operator: %s", operators)
	case roots > 1:
		return invalid("Expression has more than one roots. Only one root operator is allowed for each expression: %s", operators)
	case f.And != nil && len(f.And) < 2:
		return invalid("And expression must have at least 2 operands")
	case f.Or != nil && len(f.Or) < 2:
		return invalid("Or expression must have at least 2 operands")
	case f.Tags != nil || f.CostCategories != nil:
		return in.unknown(r, "filters by tags or cost categories")
	case f.Dimensions != nil:
		return f.Dimensions.check(r, in)
	case f.Not != nil:
		return f.Not.check(r, in)
	}
	for _, part := range append(slices.Clone(f.And), f.Or...) {
		if err := part.check(r, in); err != nil {
			return err
		}
	}
	return nil
}

func (d *costDimension) check(r *request, in *costInput) error {
	switch {
	case d.Key == "RESOURCE_ID":
		return invalid("Dimension %s is not allowed.", d.Key)
	case !hasDimension(d.Key):
		return in.unknown(r, "filters by "+d.Key)
	case len(d.Values) == 0:
		return invalid("Dimension %s must have at least one value", d.Key)
	}
	for _, option := range d.MatchOptions {
		if option != "EQUALS" && option != "CASE_SENSITIVE" {
			return invalid("Match option %s is not allowed for dimensions", option)
		}
	}
	return nil
}

// holds tells whether a cost is among those that are asked for.
func (f *costFilter) holds(key costKey) bool {
	one := func(part costFilter) bool { return part.holds(key) }
	switch {
	case f.And != nil:
		return !slices.ContainsFunc(f.And, func(part costFilter) bool { return !part.holds(key) })
	case f.Or != nil:
		return slices.ContainsFunc(f.Or, one)
	case f.Not != nil:
		return !f.Not.holds(key)
	}
	return slices.Contains(f.Dimensions.Values, key.dimension(f.Dimensions.Key))
}
