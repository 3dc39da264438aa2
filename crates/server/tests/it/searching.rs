//! `POST /failover/tracking`: filters, pages, totals, and whose flows are found.

use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};

fn is(field: &str, operator: &str, term: &str) -> Value {
    json!({"fieldName": field, "searchOperator": operator, "searchTerm": term})
}

#[tokio::test]
async fn filters_combine_and_totals_are_exact() {
    let server = TestServer::start("").await;
    let mut ids = Vec::new();
    for to in ["+306900000010", "+306900000011", "+306900000000"] {
        ids.push(server.send(&json!({"flow": [viber(1, to), sms(2, to)]})).await);
    }
    ids.push(server.send(&json!({"flow": [voice(1, "+302100000000")]})).await);
    for id in &ids {
        server.track_to_end(id).await;
    }
    let total = async |filters: Value| server.search("", filters).await["totalElements"].as_u64().unwrap();
    assert_eq!(total(json!([])).await, 4);
    assert_eq!(total(Value::Null).await, 4);
    assert_eq!(total(json!({})).await, 4);
    assert_eq!(total(json!([{"fieldName": "type", "searchTerm": "viber"}])).await, 3);
    assert_eq!(total(is("TYPE", "IS_NOT", "Viber")).await, 1);
    assert_eq!(total(is("type", "is", "Sms")).await, 2);
    assert_eq!(total(is("status", "is", "Failed")).await, 1);
    assert_eq!(total(is("status", "is_not", "Failed")).await, 3);
    assert_eq!(total(is("terminationChannel", "is", "Sms")).await, 2);
    assert_eq!(total(is("terminationChannel", "is_not", "Sms")).await, 2);
    assert_eq!(total(is("to", "is", "+306900000011")).await, 1);
    assert_eq!(total(is("to", "contains", "69000000")).await, 3);
    assert_eq!(total(is("to", "starts_with", "+3021")).await, 1);
    assert_eq!(total(is("to", "ends_with", "00")).await, 2);
    assert_eq!(total(is("to", "is_not", "+306900000011")).await, 3);
    // The example of the contract: a recipient, and no call.
    let filters = json!([{"fieldName": "to", "searchTerm": "+306900000010"}, is("type", "is_not", "Voice")]);
    let page = server.search("", filters).await;
    assert_eq!(page["totalElements"], 1);
    assert_eq!(page["content"][0]["trackingId"], ids[0].as_str());
}

#[tokio::test]
async fn pages_cover_the_result_in_one_order() {
    let server = TestServer::start("").await;
    let mut ids = Vec::new();
    for _ in 0..25 {
        ids.push(server.send(&json!({"flow": [sms(1, "+306900000000")]})).await);
    }
    ids.reverse();
    let page_ids = |page: &Value| -> Vec<String> {
        let content = page["content"].as_array().unwrap();
        content.iter().map(|tracking| tracking["trackingId"].as_str().unwrap().to_owned()).collect()
    };
    let mut found = Vec::new();
    for number in 0..3 {
        let page = server.search(&format!("page={number}&size=10"), json!([])).await;
        assert_eq!(page["totalElements"], 25);
        assert_eq!(page["totalPages"], 3);
        assert_eq!((&page["number"], &page["size"]), (&json!(number), &json!(10)));
        assert_eq!(page["first"], number == 0);
        assert_eq!(page["last"], number == 2);
        found.extend(page_ids(&page));
    }
    let mut sorted = found.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), 25);
    // Sent one after the other, they are found newest first; within one millisecond their ids decide.
    let mut expected = ids.clone();
    expected.sort_by(|a, b| b[..13].cmp(&a[..13]).then(b.cmp(a)));
    assert_eq!(found, expected);
    found.reverse();
    assert_eq!(page_ids(&server.search("size=25&sort=createdAt,asc", json!([])).await), found);

    let beyond = server.search("page=99&size=10", json!([])).await;
    assert_eq!((&beyond["content"], &beyond["totalElements"]), (&json!([]), &json!(25)));
    assert_eq!((&beyond["last"], &beyond["numberOfElements"]), (&json!(true), &json!(0)));
    let none = server.search("", is("status", "is", "Failed")).await;
    assert_eq!((&none["totalPages"], &none["first"], &none["last"]), (&json!(0), &json!(true), &json!(true)));
}

#[tokio::test]
async fn the_range_is_half_open() {
    let server = TestServer::start("").await;
    let id = server.send(&json!({"flow": [sms(1, "+306900000000")]})).await;
    let created = server.track(&id).await["createdAt"].as_str().unwrap().to_owned();
    let total =
        async |query: String| server.search(&query, json!([])).await["totalElements"].as_u64().unwrap();
    assert_eq!(total(format!("dateStart={created}")).await, 1);
    assert_eq!(total(format!("dateEnd={created}")).await, 0);
    assert_eq!(total(format!("dateStart={created}&dateEnd={created}")).await, 0);
    assert_eq!(total("dateStart=2020-01-01T00:00Z&dateEnd=2100-01-01T00:00Z".into()).await, 1);
    assert_eq!(total("dateStart=2020-01-01&dateEnd=2020-01-02T00:00+02:00".into()).await, 0);
}

#[tokio::test]
async fn the_end_of_the_calendar_is_no_end() {
    let server = TestServer::start("").await;
    server.send(&json!({"flow": [sms(1, "+306900000010")]})).await;
    for end in
        ["9999-12-31", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.9999999"]
    {
        let page = server.search(&format!("dateStart=2020-01-01&dateEnd={end}"), json!([])).await;
        assert_eq!(page["totalElements"], 1, "{end}");
        let page = server.search(&format!("dateStart={end}"), json!([])).await;
        assert_eq!(page["totalElements"], 0, "{end}");
    }
}

#[tokio::test]
async fn a_flow_is_found_as_soon_as_it_was_answered() {
    let server = TestServer::start("").await;
    for i in 0..50 {
        let to = format!("+3069{i:08}");
        server.send(&json!({"flow": [sms(1, &to)]})).await;
        assert_eq!(server.search("", is("to", "is", &to)).await["totalElements"], 1);
    }
}

#[tokio::test]
async fn nobody_sees_anothers_flows() {
    let mut server = TestServer::start("").await;
    let id = server.send(&json!({"flow": [sms(1, "+306900000000")]})).await;
    let other = create_application(&server.data, "other");
    server.token = token(&server.client, &server.url, &other).await;
    assert_eq!(server.search("", json!([])).await["totalElements"], 0);
    let (status, body) = answer(server.request(Method::GET, &format!("/failover/tracking/{id}"))).await;
    let unknown = "/failover/tracking/01a20c42-c974-7bd3-be01-46d4962c5334";
    let (unknown_status, unknown_body) = answer(server.request(Method::GET, unknown)).await;
    assert_eq!((status.as_u16(), unknown_status.as_u16()), (404, 404));
    assert_eq!(body["code"], unknown_body["code"]);
    assert_eq!(body["developerMessage"], unknown_body["developerMessage"]);
}

#[tokio::test]
async fn filters_on_messages_are_answered_by_the_flows() {
    let server = TestServer::start("").await;
    let mut labelled = viber(1, "+306900000011");
    labelled["label"] = json!("Summer 26");
    let ids = [
        server.send(&json!({"flow": [labelled, sms(2, "+306900000011")]})).await,
        server.send(&json!({"flow": [sms(1, "+306900000000")]})).await,
        server.send(&json!({"flow": [sms(1, "+447700900000")]})).await,
    ];
    for id in &ids {
        server.track_to_end(id).await;
    }
    let total = async |filters: Value| server.search("", filters).await["totalElements"].as_u64().unwrap();
    assert_eq!(total(is("label", "is", "summer 26")).await, 1);
    assert_eq!(total(is("label", "contains", "mer")).await, 1);
    assert_eq!(total(is("label", "starts_with", "26")).await, 0);
    assert_eq!(total(is("label", "is_not", "Summer 26")).await, 2);
    assert_eq!(total(is("country", "is", "gr")).await, 2);
    assert_eq!(total(is("country", "is_not", "GR")).await, 1);
    assert_eq!(total(is("from", "is", "ACME")).await, 3);
    assert_eq!(total(is("operator", "is", "anybody")).await, 0);
    // Neither Viber nor Sms got through to the first one.
    assert_eq!(total(is("messageStatus", "is", "delivered")).await, 2);
    assert_eq!(total(is("messageStatus", "is_not", "Delivered")).await, 1);
    // With filters that the index answers, and pages.
    let filters = json!([is("country", "is", "GR"), is("type", "is_not", "Viber")]);
    let page = server.search("size=1", filters).await;
    assert_eq!(
        (page["totalElements"].as_u64(), &page["content"][0]["trackingId"]),
        (Some(1), &json!(ids[1]))
    );
    let page = server.search("size=1&page=1", is("country", "is", "GR")).await;
    assert_eq!(
        (page["totalElements"].as_u64(), &page["content"][0]["trackingId"]),
        (Some(2), &json!(ids[0]))
    );
    let request = server.request(Method::POST, "/failover/tracking").header("accept", "application/x-ndjson");
    let lines = request.json(&is("country", "is_not", "GR")).send().await.unwrap().text().await.unwrap();
    assert_eq!(lines.lines().count(), 1);
    assert!(lines.contains(&ids[2]));
}

#[tokio::test]
async fn bad_searches_name_the_filter_and_the_rule() {
    let server = TestServer::start("").await;
    let cases: Vec<(&str, Value, &str)> = vec![
        ("size=0", json!([]), "size"),
        ("size=1001", json!([]), "size"),
        ("page=-1", json!([]), "page"),
        ("page=x", json!([]), "page"),
        ("dateStart=soon", json!([]), "dateStart"),
        ("dateStart=2026-01-02&dateEnd=2026-01-01", json!([]), "dateStart"),
        ("sort=price", json!([]), "sort"),
        ("", json!([is("weight", "is", "1")]), "[0].fieldName"),
        ("", json!([is("type", "is", "Sms"), is("type", "contains", "Sms")]), "[1].searchOperator"),
        ("", json!([is("to", "like", "1")]), "[0].searchOperator"),
        ("", json!([is("country", "contains", "G")]), "[0].searchOperator"),
        ("", json!([is("label", "like", "G")]), "[0].searchOperator"),
        ("", json!([is("type", "is", "Fax")]), "[0].searchTerm"),
        ("", json!([is("status", "is", "Done")]), "[0].searchTerm"),
        ("", json!([{"fieldName": "to"}]), "[0].searchTerm"),
        ("", json!({"fieldName": "to", "searchTerm": 5}), "[0].searchTerm"),
        ("", json!([5]), "[0]"),
    ];
    for (query, filters, field) in cases {
        let (status, answer) = server.post(&format!("/failover/tracking?{query}"), &filters).await;
        assert_eq!(status, 400, "{query} {filters}: {answer}");
        assert_eq!(answer["errors"][0]["field"], field, "{answer}");
    }
}

#[tokio::test]
async fn an_export_streams_every_match() {
    let server = TestServer::start("").await;
    let mut ids = Vec::new();
    for i in 0..30 {
        ids.push(
            server
                .send(&json!({"flow": [viber(1, &format!("+3069000{i:03}00")), sms(2, "+306900000000")]}))
                .await,
        );
    }
    for id in &ids {
        server.track_until(id, |tracking| tracking["messages"][0]["status"]["name"] == "SEEN").await;
    }
    let export = async |accept: &str, query: &str| {
        let request = server.request(Method::POST, &format!("/failover/tracking?size=2&{query}"));
        let response = request.header("accept", accept).body("").send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with(accept));
        response.text().await.unwrap()
    };
    let lines = export("application/x-ndjson", "sort=createdAt,asc").await;
    let trackings: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let exported: Vec<_> =
        trackings.iter().map(|tracking| tracking["trackingId"].as_str().unwrap()).collect();
    let page = server.search("size=1000&sort=createdAt,asc", json!([])).await;
    assert_eq!(json!(trackings), page["content"]);
    assert_eq!(exported.len(), 30);

    let csv = export("text/csv", "").await;
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 31);
    assert!(rows[0].starts_with("trackingId,createdAt,"));
    assert!(rows[1].starts_with(exported[29]) && rows[1].ends_with(",Viber SEEN"), "{}", rows[1]);
}
