//! A search is read as it was asked, and what it can't be is named (contract, section 4).
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

use flow::{Channel, FlowKind, FlowStatus, Rule};
use index::{Order, Predicate, TextOperator};
use serde_json::{Value, json};
use wire::broken::BrokenRules;
use wire::message_filter::MessageField;
use wire::parameters::Parameters;
use wire::read_search::{Search, read_search};

fn read(parameters: &[(&str, &str)], body: &Value) -> Result<Search, BrokenRules> {
    let given = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    read_search("shop", &Parameters(given.collect()), body, 10)
}

fn filter(field: &str, operator: &str, term: &str) -> Value {
    json!({"fieldName": field, "searchOperator": operator, "searchTerm": term})
}

/// The member that breaks a rule, and the rule, where there is one alone.
fn broken(parameters: &[(&str, &str)], body: &Value) -> (String, Rule) {
    let BrokenRules { told, more } = read(parameters, body).err().unwrap();
    assert_eq!((told.len(), more), (1, 0), "{told:?}");
    (told[0].field.clone(), told[0].rule)
}

#[test]
fn without_parameters_it_is_the_first_ten_newest_first() {
    for body in [json!(null), json!([]), json!({}), json!([null, {}])] {
        let Search { page, size, query, message_filters } = read(&[], &body).ok().unwrap();
        assert_eq!((page, size, query.offset, query.limit), (0, 10, 0, 10));
        assert_eq!((query.from, query.until, query.application.as_str()), (None, None, "shop"));
        assert!(query.order == Order::NewestFirst && query.filters.is_empty() && message_filters.is_empty());
    }
}

#[test]
fn a_page_starts_behind_those_before_it() {
    let search = read(&[("page", "3"), ("size", "25")], &json!([])).ok().unwrap();
    assert_eq!((search.page, search.size, search.query.offset, search.query.limit), (3, 25, 75, 25));
}

#[test]
fn pages_and_sizes_have_bounds() {
    let last_page = usize::MAX / 2000;
    let (last, beyond) = (last_page.to_string(), (last_page + 1).to_string());
    for (name, value) in [("size", "1"), ("size", "1000"), ("page", "0"), ("page", &last)] {
        assert!(read(&[(name, value)], &json!([])).is_ok(), "{name} {value}");
    }
    for (name, value) in
        [("size", "0"), ("size", "1001"), ("size", "x"), ("page", "-1"), ("page", "1.5"), ("page", &beyond)]
    {
        assert_eq!(broken(&[(name, value)], &json!([])), (name.to_owned(), Rule::Range), "{value}");
    }
}

#[test]
fn it_is_sorted_by_time_either_way() {
    for (sort, order) in [
        ("createdAt", Order::NewestFirst),
        ("createdAt, DESC", Order::NewestFirst),
        ("createdat,asc", Order::OldestFirst),
    ] {
        assert!(read(&[("sort", sort)], &json!([])).ok().unwrap().query.order == order, "{sort}");
    }
    assert_eq!(broken(&[("sort", "status,asc")], &json!([])), ("sort".into(), Rule::Choice));
}

#[test]
fn a_range_may_be_a_moment_but_not_backwards() {
    let (early, late) = ("2025-05-05T15:00Z", "2025-05-05T15:01Z");
    let search = read(&[("dateStart", early), ("dateEnd", late)], &json!([])).ok().unwrap();
    assert!(search.query.from.is_some() && search.query.from < search.query.until);
    assert!(read(&[("dateStart", early), ("dateEnd", early)], &json!([])).is_ok());
    let backwards = [("dateStart", late), ("dateEnd", early)];
    assert_eq!(broken(&backwards, &json!([])), ("dateStart".into(), Rule::Range));
}

#[test]
fn filters_are_read_in_whatever_case() {
    for (field, term, predicate) in [
        ("TYPE", "sms", Predicate::Type(Channel::Sms)),
        ("terminationChannel", "Viber", Predicate::Termination(Channel::Viber)),
        ("status", "Failed", Predicate::Status(FlowStatus::Failed)),
        ("flowKind", "Transactional", Predicate::Kind(FlowKind::Transactional)),
        ("flowKind", "plain", Predicate::Kind(FlowKind::Plain)),
    ] {
        for (operator, negated) in [("is", false), ("IS_NOT", true), ("", false)] {
            let search = read(&[], &json!([filter(field, operator, term)])).ok().unwrap();
            let [only] = search.query.filters.as_slice() else { panic!("{field}: one filter") };
            assert_eq!((&only.predicate, only.negated), (&predicate, negated), "{field} {operator}");
        }
    }
}

#[test]
fn recipients_are_sought_as_they_are_kept() {
    use TextOperator::{Contains, EndsWith, Is, StartsWith};
    for (operator, term, meant, kept) in [
        ("is", "30 690-000", Is, "+30690000"),
        ("is", "not a number", Is, "not a number"),
        ("starts_with", "(30) 690", StartsWith, "+30690"),
        ("contains", "690 000", Contains, "690000"),
        ("ends_with", "00-10", EndsWith, "0010"),
    ] {
        let search = read(&[], &filter("to", operator, term)).ok().unwrap();
        assert_eq!(search.query.filters[0].predicate, Predicate::To(meant, kept.into()), "{operator} {term}");
    }
}

#[test]
fn what_the_index_lacks_is_a_filter_on_messages() {
    for (name, operator, field, meant) in [
        ("from", "is", MessageField::From, TextOperator::Is),
        ("label", "contains", MessageField::Label, TextOperator::Contains),
        ("Country", "is_not", MessageField::Country, TextOperator::Is),
        ("operator", "is", MessageField::Operator, TextOperator::Is),
        ("messageStatus", "is", MessageField::Status, TextOperator::Is),
    ] {
        let search = read(&[], &filter(name, operator, "GR")).ok().unwrap();
        let [only] = search.message_filters.as_slice() else { panic!("{name}: one filter") };
        assert_eq!((only.field, only.operator, only.term.as_str()), (field, meant, "gr"), "{name}");
        assert_eq!((only.negated, search.query.filters.len()), (operator == "is_not", 0), "{name}");
    }
}

#[test]
fn a_filter_that_cant_be_is_named_with_its_place() {
    for (body, member, rule) in [
        (filter("colour", "is", "red"), "fieldName", Rule::Choice),
        (filter("", "is", "red"), "fieldName", Rule::Required),
        (filter("type", "is", ""), "searchTerm", Rule::Required),
        (filter("type", "is", "fax"), "searchTerm", Rule::Choice),
        (filter("status", "is", "Lost"), "searchTerm", Rule::Choice),
        (filter("flowKind", "is", "odd"), "searchTerm", Rule::Choice),
        (filter("status", "contains", "Failed"), "searchOperator", Rule::Choice),
        (filter("from", "contains", "Acme"), "searchOperator", Rule::Choice),
        (filter("to", "like", "30"), "searchOperator", Rule::Choice),
        (filter("to", "is", &"3".repeat(351)), "searchTerm", Rule::Length),
    ] {
        let second = json!([filter("to", "is", &"3".repeat(350)), body]);
        assert_eq!(broken(&[], &second), (format!("[1].{member}"), rule), "{body}");
    }
    let strange = json!({"fieldName": "to", "searchTerm": "30", "limit": 1});
    assert_eq!(broken(&[], &strange), ("[0].limit".into(), Rule::Unknown));
    assert_eq!(broken(&[], &json!(["to"])), ("[0]".into(), Rule::Type));
}

#[test]
fn a_search_has_at_most_fifty_filters() {
    let filters = |count| Value::Array(vec![filter("to", "is", "30"); count]);
    assert_eq!(read(&[], &filters(50)).ok().unwrap().query.filters.len(), 50);
    assert_eq!(broken(&[], &filters(51)), ("filters".into(), Rule::Length));
}
