"""The API's documents, made from the one OpenAPI document: the reference page, the Postman collection."""
